# SPDX-License-Identifier: MIT
"""memwhy.heap, memwhy.why and memwhy.growth: what they say is true."""
import importlib.util

import pytest

from processes import run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

# Kinds of heaps: `make()` gives one object that alone keeps all of it.
HEAPS = {
    "cache of strings": """
def make():
    return {f"/user/{i}": "x" * (i % 90) for i in range(20000)}
""",
    "lists of ints": """
def make():
    return [[n + 1000 for n in range(i, i + 20)] for i in range(2000)]
""",
    "tuples of floats": """
def make():
    return [(i + 0.5, i + 1.5, (i + 2.5,)) for i in range(10000)]
""",
    "linked list": """
class Link:
    __slots__ = "next", "value"
def make():
    first = None
    for i in range(100000):
        link = Link()
        link.next, link.value = first, None
        first = link
    # Freed link by link, or it would be deeper than any stack.
    return [first]
""",
    "instances": """
class Row:
    def __init__(self, i):
        self.number, self.name, self.rows = i + 1000, str(i), []
def make():
    return [Row(i) for i in range(10000)]
""",
    "instances with dicts": """
class Row:
    pass
def make():
    rows = []
    for i in range(5000):
        row = Row()
        for name in ("a", "b", "c", f"name{i}"):
            setattr(row, name, i + 1000)
        row.__dict__["more"] = str(i)
        rows.append(row)
    return rows
""",
    "slots": """
class Slots:
    __slots__ = "a", "b", "c"
def make():
    rows = []
    for i in range(10000):
        row = Slots()
        row.a, row.b = i + 1000, f"{i}"
        rows.append(row)
    return rows
""",
    "closures": """
def outer(i):
    big = "x" * i
    def inner(argument=i + 1000):
        return big
    return inner
def make():
    return [outer(i) for i in range(2000)]
""",
    "generators": """
def numbers(n):
    text = "y" * n
    for i in range(n):
        yield i, text
def make():
    many = [numbers(i + 2) for i in range(2000)]
    for one in many:
        next(one)
    return many
""",
    "dataclasses": """
import dataclasses
@dataclasses.dataclass(slots=True)
class Point:
    x: float
    y: float
    tags: list = dataclasses.field(default_factory=list)
def make():
    return {i + 1000: Point(i + 0.5, i + 1.5, [i]) for i in range(5000)}
""",
    "sets and bytes": """
def make():
    return [{bytes(i), bytearray(i + 1), frozenset({i + 1000, str(i)}).__len__()} if False else
            [frozenset({i + 1000, str(i)}), bytes(i + 2), bytearray(i + 1)] for i in range(3000)]
""",
    "deques and arrays": """
import array, collections
def make():
    return [(collections.deque(str(n) for n in range(i)), array.array("d", [0.5] * i))
            for i in range(1, 300)]
""",
    "ordered dicts": """
import collections
def make():
    return [collections.OrderedDict((str(n), n + 1000) for n in range(i)) for i in range(300)]
""",
    "exceptions": """
def fail(i):
    local = "z" * i
    raise ValueError(local)
def make():
    errors = []
    for i in range(1000):
        try:
            fail(i + 300)
        except ValueError as error:
            errors.append(error)
    return errors
""",
    "wide text": """
def make():
    return ["\\u4e2d" * i + str(i) for i in range(1, 1000)]
""",
    "shared children": """
def make():
    shared = [str(i) * 5 for i in range(1000)]
    return [list(shared) for _ in range(200)]
""",
    "cycle": """
class Node:
    pass
def make():
    nodes = [Node() for _ in range(5000)]
    for a, b in zip(nodes, nodes[1:] + nodes[:1]):
        a.next, b.previous, a.payload = b, a, [a]
    return nodes
""",
    "numpy": """
import numpy
def make():
    return [numpy.ones(i) for i in range(1, 500)]
""",
    "numpy views": """
import numpy
def view(i):
    return numpy.arange(float(i * 20)).reshape(i, 20)[::2].T
def make():
    return [view(i) for i in range(2, 300)]
""",
    "numpy objects": """
import numpy
def make():
    return [numpy.array([str(n) * 3, [n + 1000], None] * 50, dtype=object).reshape(30, 5)
            for n in range(200)]
""",
    "numpy records": """
import numpy
# It hides its fields, but is not made for each array.
row = numpy.dtype("f8,i4,S10")
def make():
    return {str(i): numpy.zeros(i, row) for i in range(50, 500)}
""",
}

FREED = """
import gc, sys
import memwhy
memwhy.start(1)
{make}
make()
kept = make()
gc.collect()
def freed():
    "What is really freed when the last reference goes."
    global kept
    gc.collect()  # what looking at the heap left behind
    before = memwhy.get_traced_memory()[0]
    kept = None
    gc.collect()
    return before - memwhy.get_traced_memory()[0]
if {traced}:
    with memwhy.heap() as heap:
        said = heap.retained(kept)
        assert heap.why(kept).retained == said
    really = freed()
else:
    # Sizes by arithmetic alone, as when nothing is traced.
    memwhy.stop()
    with memwhy.heap() as heap:
        said = heap.retained(kept)
    kept = None
    gc.collect()
    memwhy.start(1)
    kept = make()
    gc.collect()
    really = freed()
print(said / really)
"""


@pytest.mark.parametrize("traced", [True, False], ids=["tracing", "not-tracing"])
@pytest.mark.parametrize("kind", HEAPS)
def test_retained_is_what_dropping_frees(kind, traced):
    if kind.startswith("numpy") and importlib.util.find_spec("numpy") is None:
        pytest.skip("this Python has no numpy")
    ratio = float(run(FREED.format(make=HEAPS[kind], traced=traced)))
    # Objects that wait in free lists are not freed.
    assert 0.995 <= ratio <= 1.005, ratio


NAMES = """
import collections, functools, sys, threading, types
import memwhy

class Target:
    pass

def expect(expression, target, kind=None):
    with memwhy.heap() as heap:
        paths = heap.paths(target, 5)
    found = [path.expression for path in paths]
    assert expression in found, found
    here = memwhy.why(target, paths=5, forked=False)
    assert [path.expression for path in here.paths] == found, (found, here.paths)

def only(target):
    "Who asks for it is a frame, too."
    return target
"""


@pytest.mark.parametrize("setup, expression", [
    ("cache = {'/user/1': [0, types.SimpleNamespace()]}; target = cache['/user/1'][1]",
     "sys.modules['__main__'].cache['/user/1'][1]"),
    ("cache = {'not a name': Target()}; target = cache['not a name']",
     "sys.modules['__main__'].cache['not a name']"),
    ("cache = {7: Target(), -8: 1}; target = cache[7]", "sys.modules['__main__'].cache[7]"),
    ("holder = Target(); holder.data = Target(); target = holder.data",
     "sys.modules['__main__'].holder.data"),
    ("holder = Target(); holder.__dict__['a b'] = Target(); target = holder.__dict__['a b']",
     "sys.modules['__main__'].holder['a b']"),
    ("class S: __slots__ = 'one', 'two'\nholder = S(); holder.two = Target(); target = holder.two",
     "sys.modules['__main__'].holder.two"),
    ("def f():\n    big = Target()\n    def g(): return big\n    return g\n"
     "g = f(); target = g()", "sys.modules['__main__'].g.__closure__[0].cell_contents"),
    ("def f(a=Target()): return a\ntarget = f()", "sys.modules['__main__'].f.__defaults__[0]"),
    ("def f(*, a=Target()): return a\ntarget = f()",
     "sys.modules['__main__'].f.__kwdefaults__['a']"),
    ("class C:\n    value = Target()\ntarget = C.value", "sys.modules['__main__'].C.value"),
    ("class C:\n    def method(self): pass\nbound = C().method\ntarget = bound.__self__",
     "sys.modules['__main__'].bound.__self__"),
    ("def f():\n    local = Target()\n    yield local\n    yield 1\ng = f(); target = next(g)",
     "sys.modules['__main__'].g.local"),
    ("table = collections.OrderedDict(key=Target()); target = table['key']",
     "sys.modules['__main__'].table['key']"),
    ("part = functools.partial(print, Target()); target = part.args[0]",
     "sys.modules['__main__'].part.args[0]"),
    ("def fail():\n    local = Target()\n    raise ValueError\n"
     "try:\n    fail()\nexcept ValueError as e:\n    error = e\n"
     "target = error.__traceback__.tb_next.tb_frame.f_locals['local']",
     "sys.modules['__main__'].error.__traceback__.tb_next.tb_frame.local"),
])
def test_references_have_names(setup, expression):
    run(NAMES + setup + f"\nheld = [target]; del target; expect({expression!r}, held[0])\n")


def test_frames_of_threads_have_names():
    run("""
import threading
import memwhy

class Target: pass
ready, done = threading.Event(), threading.Event()
ids = []

def work():
    local = Target()
    ids.append(id(local))
    ready.set()
    done.wait()

thread = threading.Thread(target=work, name="worker-7")
thread.start()
ready.wait()
with memwhy.heap() as heap:
    answer = heap._child.ask("object", ids[0], 1)
    path = memwhy._heap._paths(answer)[0]
    assert path.root["kind"] == "frame" and path.root["thread_name"] == "worker-7"
    assert path.expression.startswith("<frame work (<string>:"), path
    assert path.expression.endswith(" in thread worker-7>.local"), path
done.set()
thread.join()
""")


def test_tasks_and_threads_have_names():
    run("""
import asyncio, threading
import memwhy
class Worker(threading.Thread):
    pass
worker = Worker(name="worker-9")
plain = threading.Thread(name="other")
async def work():
    await asyncio.sleep(60)
async def main():
    task = asyncio.create_task(work(), name="fetch-3")
    await asyncio.sleep(0)
    with memwhy.heap() as heap:
        assert heap.why(task).text == "_asyncio.Task 'fetch-3'", heap.why(task).text
        assert heap.why(worker).text == "__main__.Worker 'worker-9'"
        assert heap.why(plain).text == "threading.Thread 'other'"
        assert heap.why(print).text == "builtin print"
    task.cancel()
asyncio.run(main())
""")


def test_who_asks_does_not_count():
    run("""
import memwhy
def ask():
    return memwhy.why([1, 2, 3], forked=False), memwhy.why([1, 2, 3], forked=True)
for answer in ask():
    assert "kept alive by nothing but whoever asks" in str(answer), str(answer)
""")


LEAKY = """
import functools, memwhy, sys, types
memwhy.start()
views = types.ModuleType("app.views")
sys.modules["app.views"] = views
exec(compile('''
import functools
class Row:
    def __init__(self, i):
        self.data = {"number": i + 1000, "text": "x" * 100}
class Session:
    def __init__(self, i):
        self.blob = bytes(2000)
_cache, _listeners, _sessions = {}, [], {}
@functools.lru_cache(maxsize=None)
def render(page):
    return "<html>" + page * 200
def listen(session):
    def on_close():
        return session
    return on_close
def request(i):
    _cache[f"/user/{i}"] = [Row(i) for i in range(10)]
    session = Session(i)
    if i % 2 == 0:
        _sessions[i] = session
        _listeners.append(listen(session))
    render(str(i))
''', "app/views.py", "exec"), views.__dict__)
for i in range(3000):
    views.request(i)
"""


def test_the_leaky_service_s_holders_are_found():
    run(LEAKY + """
with memwhy.heap() as heap:
    suspects = heap.suspects()
    first = suspects[0]
    assert first.kind == "accumulates", suspects
    assert first.path.expression == "sys.modules['app.views']._cache", first.path
    assert first.node.retained == heap.retained(views._cache) == first.retained
    assert first.bytes > 0.4 * heap.summary["bytes"]
    assert "app/views.py:5" in str(first), str(first)
    joint = next(s for s in suspects if s.kind == "joint")
    assert sorted(path.expression for _, path in joint.holders) == [
        "sys.modules['app.views']._listeners", "sys.modules['app.views']._sessions"]
    assert "held jointly" in str(joint)
    # Neither has the sessions; both together do.
    alone = heap.retained(views._listeners) + heap.retained(views._sessions)
    together = heap.retained_together(views._listeners, views._sessions)
    assert alone < 0.2 * together and abs(together - alone - joint.bytes) < 0.02 * together
    assert any("render" in str(s) for s in heap.suspects(0.02))
    module = heap.modules()[0]
    assert module.module == "app.views" and module.retained == heap.retained(views)
    assert module.retained > first.retained + joint.bytes
    assert heap.why(views).retained_types[0].size > 100_000
    assert heap.types()[0].retained > 0
    lines = [(row.file, row.line) for row in heap.sites()[:6]]
    assert ("app/views.py", 5) in lines, lines
    text = str(heap)
    assert "references explained" in text and "_cache" in text
    assert ("stacks" in text) == (sys.version_info < (3, 14)), text
    whole = heap.why(views._cache["/user/7"][3])
    assert whole.paths[0].expression == "sys.modules['app.views']._cache['/user/7'][3]"
    assert whole.dominators[1].retained == first.retained, whole.dominators
    assert whole.site["line"] == 18 and whole.site["file"] == "app/views.py", whole.site
    assert "<pre>" in whole._repr_html_()
    top = [path.expression for _, path in heap.top(5)]
    assert "sys.modules['app.views']._cache" in top or "sys.modules['app.views']" in top, top
""")


def test_references_that_an_extension_forgot_are_suspected(heap_subject):
    run("""
import sys
sys.path.insert(0, sys.argv[1])
import heap_subject, memwhy
class Lost:
    def __init__(self):
        self.data = bytes(500)
for _ in range(10000):
    heap_subject.hold(Lost())
with memwhy.heap() as heap:
    first = heap.suspects()[0]
    assert first.kind == "many" and first.node.type == "__main__.Lost", first
    assert first.objects == 10000 and first.bytes > 5_000_000
    assert "10,000 objects of __main__.Lost that C code holds" in str(first)
""", heap_subject)


def test_garbage_is_what_the_collector_then_frees():
    run("""
import gc
import memwhy
memwhy.heap().garbage()  # imports what it needs, which leaves garbage behind
gc.collect()
gc.disable()
class Node:
    pass
for _ in range(70):
    a, b = Node(), Node()
    a.other, b.other, b.data = b, a, [a]
del a, b
with memwhy.heap() as heap:
    garbage = heap.garbage()
freed = gc.collect()
assert garbage.cycles == 70 and len(garbage.nodes) == 20
# Dicts of instances may be there or not, and looking at the heap leaves a little behind.
assert 70 * 3 <= garbage.objects <= 70 * 5
assert abs(garbage.objects - freed) < 30, (garbage.objects, freed)
assert "70 cycles wait for the collector" in str(garbage)
with memwhy.heap() as heap:
    assert heap.garbage().objects == 0
""")


def test_what_changed_between_two_heaps():
    run(LEAKY + """
class New:
    pass
with memwhy.heap() as older:
    news = [New() for _ in range(500)]
    with memwhy.heap() as newer:
        diff = newer.diff(older)
        row = next(row for row in diff.types if row.type == "__main__.New")
        assert (row.count, row.count_diff) == (500, 500) and row.size_diff > 0
        assert any(row.line == news_line and row.count_diff >= 500 for row in diff.sites
                   for news_line in [row.line] if row.file == "<string>"), diff.sites[:3]
        assert str(diff)
        try:
            newer.diff(5)
        except TypeError as error:
            assert "compares with a Heap" in str(error)
        else:
            raise AssertionError
""")


@pytest.mark.parametrize("forked", [False, True])
def test_growth_is_what_a_block_leaves_behind(forked):
    run(f"""
import memwhy
class Left:
    pass
first = memwhy.growth(forked={forked})
assert not first.rows and str(first) == "nothing grew"
with memwhy.growth(forked={forked}) as grown:
    kept = [Left() for _ in range(200)]
    gone = [Left() for _ in range(300)]
    del gone
row = next(row for row in grown if row.type == "__main__.Left")
assert row.count_diff == 200 and row.size_diff > 0
assert "__main__.Left: 200 objects (+200)" in str(grown)
memwhy.growth(forked={forked})
kept += [Left() for _ in range(50)]
again = memwhy.growth(forked={forked})
assert next(row for row in again if row.type == "__main__.Left").count_diff == 50
""")


@pytest.mark.parametrize("forked", [False, True])
def test_growth_adds_up_classes_that_are_called_the_same(forked):
    run(f"""
import memwhy
def make():
    class Made:
        pass
    return Made
kinds = [make() for _ in range(3)]
kept = [kind() for kind in kinds]
memwhy.growth(forked={forked})
kept += [kind() for kind in kinds for _ in range(40)]
kinds += [make() for _ in range(20)]
kept += [kind() for kind in kinds]
grown = [row for row in memwhy.growth(forked={forked}) if row.type.endswith("Made")]
assert [(row.count, row.count_diff) for row in grown] == [(146, 143)], grown
""")


def test_wrong_use_is_one_clear_sentence():
    run("""
import memwhy
def refuses(kind, words, call):
    try:
        call()
    except kind as error:
        assert words in str(error), error
    else:
        raise AssertionError(words)
heap = memwhy.heap()
refuses(ValueError, "no such object of type list", lambda: heap.retained([1]))
refuses(ValueError, "no such object", lambda: heap.paths(object()))
refuses(ValueError, "count must be a whole number from 1, not -1", lambda: heap.top(-1))
refuses(ValueError, "count must be a whole number from 1", lambda: heap.paths(heap, 0))
refuses(ValueError, "count must be", lambda: heap.garbage("x"))
refuses(ValueError, "share must be", lambda: heap.suspects(7))
refuses(ValueError, "one to three objects, not 0", lambda: heap.retained_together())
refuses(RuntimeError, "call memwhy.start() before", heap.sites)
refuses(ValueError, "timeout must be", lambda: memwhy.heap(timeout=0))
refuses(ValueError, "memory_limit must be", lambda: memwhy.heap(memory_limit=-5))
refuses(ValueError, "paths must be", lambda: memwhy.why(heap, paths=0))
refuses(ValueError, "share must be", lambda: heap.suspects(float("nan")))
# More than any machine's number holds would be cut, to 0 perhaps.
for huge in (2**31, 2**64, 10**400):
    refuses(ValueError, "count must be a whole number up to", lambda: heap.top(huge))
    refuses(ValueError, "count must be a whole number up to", lambda: heap.garbage(huge))
    refuses(ValueError, "count must be a whole number up to", lambda: heap.paths(heap, huge))
    refuses(ValueError, "paths must be a whole number up to", lambda: heap.why(heap, paths=huge))
for huge in (2**63, 10**400):
    refuses(ValueError, "memory_limit must be", lambda: memwhy.heap(memory_limit=huge))
    refuses(ValueError, "memory_limit must be",
            lambda: memwhy.growth(forked=False, memory_limit=huge))
for bad in (0, -1, float("nan"), True, "soon", None, [0] * 1000):
    refuses(ValueError, "timeout must be", lambda: memwhy.heap(timeout=bad))
for long in (float("inf"), 10**400):
    memwhy.heap(timeout=long).close()
for bad in (1.5, "1 GiB", -1, True):
    refuses(ValueError, "memory_limit must be", lambda: memwhy.why(heap, memory_limit=bad))
try:
    memwhy.heap(timeout="x" * 10_000)
except ValueError as error:
    assert len(str(error)) < 200
assert heap.types()
heap.close()
heap.close()
refuses(ValueError, "this heap is closed", lambda: heap.top())
assert heap.types(), "rows that were asked for stay"
""")


def test_an_address_that_is_no_object_is_nobody():
    run("""
import gc
import memwhy
class Gone:
    pass
kept, gone = [Gone(), []], Gone()
address = id(gone)
before = memwhy.heap()
del gone
gc.collect()
with memwhy.heap() as heap:
    known = id(kept)
    for number in (0, 1, 8, 4096, known + 1, known + 8, known - 16, 2**47, 2**63, 2**64 - 1,
                   id(memwhy) | 7):
        assert heap._child.ask("object", number, 3) == {}, hex(number)
    assert heap._child.ask("object", known, 3)["id"] == known
    # Nobody, or who was given its place.
    assert heap._child.ask("object", address, 3).get("type") != "__main__.Gone"
# In the older picture it is alive, and is told of.
assert before._child.ask("object", address, 3)["type"] == "__main__.Gone"
# Whoever was given its place and is of another type is not taken for it.
others = [bytearray() for _ in range(10_000)]
for other in others:
    try:
        before.retained(other)
    except ValueError as error:
        assert "no such object of type bytearray" in str(error)
    else:
        raise AssertionError("an object that was not there yet")
""")


def test_a_list_a_million_deep_has_a_path():
    run("""
import memwhy
class Link:
    __slots__ = "next",
first = None
for i in range(1_000_000):
    link = Link()
    link.next = first
    if i == 0:
        last = link
    first = link
del link
names = {"last": last}
del last
with memwhy.heap() as heap:
    assert heap.retained(first) >= 999_999 * 40
    path = heap.paths(first)[0]
    assert path.expression == "sys.modules['__main__'].first"
    deepest = names.pop("last")
    with memwhy.heap() as now:
        paths = now.paths(deepest, 2)
        assert max(len(path) for path in paths) >= 1 and paths[0].expression
while first is not None:
    first = first.next
""", timeout=300)
