# SPDX-License-Identifier: MIT
"""Walks of the heap while threads churn all that a walk looks at.

    python tests/programs/heap_under_fire.py WALKS DIRECTORY

makes WALKS walks in this process and as many in forked children, while threads make and drop
generators, exceptions, classes, dicts, modules and tasks, and objects of an extension
(heap_subject, in DIRECTORY) that are being built, or tell half of what they refer to.  Each
thread knows what its results have to be, and what is left alone knows its reference counts.
"""
import asyncio
import gc
import importlib
import pathlib
import sys
import tempfile
import threading

import memwhy
from memwhy import _memwhy

WALKS = int(sys.argv[1])
sys.path.insert(0, sys.argv[2])
import heap_subject  # noqa: E402

stop = threading.Event()
turns = {}
failures = []


# ── the fire ───────────────────────────────────────────────────────────────────────────


def generators():
    def numbers(n):
        if n:
            yield from numbers(n - 1)
        yield n

    assert sum(numbers(20)) == 210


def exceptions():
    def fall(n):
        try:
            if n == 0:
                raise KeyError(n)
            fall(n - 1)
        except KeyError as error:
            raise ValueError(n) from error

    try:
        fall(10)
    except ValueError as error:
        assert error.args == (0,) and isinstance(error.__cause__, KeyError)
    else:
        raise AssertionError("nothing was raised")


def classes():
    kind = type("Kind", (dict,), {"__slots__": ("a",), "method": lambda self: self})
    one = kind(x=1)
    one.a = one
    assert one.method() is one and one["x"] == 1


def instances():
    class Plain:
        pass

    plain = Plain()
    for i in range(40):
        setattr(plain, f"name{i}", i)
    assert sum(vars(plain).values()) == 780


def dicts():
    table = {}
    for i in range(2000):
        table[str(i)] = [i]
    for i in range(0, 2000, 3):
        del table[str(i)]
    assert len(table) == 1333
    table.clear()
    assert list(sorted([[3], [1], [2]])) == [[1], [2], [3]]


def modules():
    sys.modules.pop("churned", None)
    churned = importlib.import_module("churned")
    assert churned.answer() == 42 and sys.modules["churned"] is churned


def loops():
    async def child(n):
        await asyncio.sleep(0)
        return n

    async def steps(n):
        for i in range(n):
            yield i

    async def main():
        found = await asyncio.gather(*(child(n) for n in range(20)))
        return sum(found) + sum([i async for i in steps(5)])

    assert asyncio.run(main()) == 200


def extension():
    built = []

    def while_building():
        built.append(1)
        return [object() for _ in range(50)]

    slow = [heap_subject.Slow(while_building, [i]) for i in range(10)]
    half = [heap_subject.Half([i], (i,)) for i in range(10)]
    secret = [heap_subject.Secret([i]) for i in range(10)]
    assert len(slow) == len(half) == len(secret) == len(built)


FIRE = (generators, exceptions, classes, instances, dicts, modules, loops, extension)


def burn(work):
    try:
        while not stop.is_set():
            work()
            turns[work.__name__] = turns.get(work.__name__, 0) + 1
    except BaseException as error:
        failures.append(error)
        raise


# ── the walks ──────────────────────────────────────────────────────────────────────────


class Plain:
    def __init__(self, i):
        self.text, self.items = f"left alone {i}", [i]


left_alone = [Plain(i) for i in range(300)]
inner = [one for plain in left_alone for one in (plain, plain.text, plain.items)]


def counts():
    return list(map(sys.getrefcount, inner))


def walk_here():
    before = counts()
    _memwhy._heap_ask("summary", 0, 0, 0, 0)
    assert counts() == before, "a walk has changed a reference count"


def walk_while_building():
    """A walk at the worst moment: an object is known to the collector, and has nothing yet."""
    slow = heap_subject.Slow(walk_here, inner)
    del slow


def walk_in_child(number):
    before = counts()
    with memwhy.heap() as heap:
        assert heap.explained > 0.98, heap.summary
        if number % 10 == 0:
            heap.suspects()
            heap.types()
    assert counts() == before, "a walk has changed a reference count"


def walk():
    for number in range(WALKS):
        if number % 5 == 0:
            walk_while_building()
        else:
            walk_here()
        walk_in_child(number)
        if number % 20 == 0:
            gc.collect()


def main():
    sys.setswitchinterval(1e-4)
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "churned.py").write_text(
            "import collections\nTABLE = collections.Counter(range(42))\n"
            "class Churned:\n    table = TABLE\n"
            "def answer():\n    return len(Churned.table)\n")
        sys.path.insert(0, directory)
        threads = [threading.Thread(target=burn, args=(work,)) for work in FIRE]
        for thread in threads:
            thread.start()
        try:
            walk()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert not failures, failures
    assert set(turns) == {work.__name__ for work in FIRE}, turns
    # No instance was given a dict by being looked at.
    assert not any(type(o) is dict and o.keys() == {"text", "items"} for o in gc.get_objects())
    print(WALKS, "walks here and in children")


main()
