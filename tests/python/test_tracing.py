# SPDX-License-Identifier: MIT
"""What is recorded of a block: its line, its stack, its size, while it lives."""
import asyncio
import collections
import gc
import json
import sys
import weakref

import pytest
from processes import run

import memwhy
import memwhy.tracemalloc as tracemalloc

pytestmark = pytest.mark.usefixtures("untraced")


def start():
    """A collection empties the free lists, whose blocks are older than the start."""
    gc.collect()
    memwhy.start()


def here():
    return sys._getframe(1).f_lineno


def place(thing):
    """(line, function) of each frame in this file, the most recent first."""
    traceback = memwhy.get_object_traceback(thing)
    assert traceback is not None
    return [(frame.lineno, frame.function) for frame in reversed(traceback)
            if frame.filename == __file__]


def line_of(thing):
    return place(thing)[0][0]


# ── frames ───────────────────────────────────────────────────────────────────────────


def test_a_block_knows_its_whole_stack_with_names():
    def inner():
        return bytes(1234)

    def outer():
        return inner()

    start()
    kept, line = outer(), here()
    me = "test_a_block_knows_its_whole_stack_with_names"
    assert place(kept)[:3] == [(inner.__code__.co_firstlineno + 1, f"{me}.<locals>.inner"),
                               (outer.__code__.co_firstlineno + 1, f"{me}.<locals>.outer"),
                               (line, me)]


def test_tracebacks_are_cut_to_the_limit_and_say_how_long_they_were():
    memwhy.start(2)
    kept = [bytes(1_234_567)]
    [trace] = [trace for trace in memwhy.take_snapshot().traces if trace.size > 1_234_567]
    assert len(trace.traceback) == 2
    assert trace.traceback.total_nframe > 10
    del kept


def test_generators_are_known_by_the_line_where_they_run():
    def leaf():
        yield bytes(100)
        kept = [1]
        yield bytes(200), kept

    def chain():
        yield from leaf()

    start()
    generator = chain()
    first = next(generator)
    second, kept = next(generator)
    line = leaf.__code__.co_firstlineno
    assert [line_of(first), line_of(second), line_of(kept)] == [line + 1, line + 3, line + 2]
    assert [name.rpartition(".")[2] for _, name in place(second)[:2]] == ["leaf", "chain"]


def test_a_generator_is_a_block_of_who_calls_its_function():
    def count():
        yield 1

    start()
    generator, line = count(), here()
    # Its own frame is or is not on the stack already, by the version.
    lines = [found for found, _ in place(generator)]
    assert lines in ([line], [count.__code__.co_firstlineno, line])


def test_coroutines_are_known_by_the_line_where_they_run():
    async def leaf(number):
        await asyncio.sleep(0)
        return bytes(number)

    async def middle(number):
        return await leaf(number)

    async def main():
        return await asyncio.gather(*(middle(n) for n in range(1, 40)))

    start()
    for kept in asyncio.run(main())[2:]:
        names = [name.rpartition(".")[2] for _, name in place(kept)]
        assert names[:2] == ["leaf", "middle"]
        assert line_of(kept) == leaf.__code__.co_firstlineno + 2


def test_a_call_through_c_is_part_of_the_stack():
    def make(number):
        return bytes(number)

    start()
    kept, line = list(map(make, range(100, 120))), here()
    for one in kept:
        assert [found for found, _ in place(one)[:2]] == [make.__code__.co_firstlineno + 1, line]


def test_objects_made_by_classes_with_an_init_are_known():
    """Since 3.13 the interpreter pushes a frame of its own below such an __init__, which
    has no globals: nothing may look for them."""
    class Plain:
        def __init__(self):
            self.kept = bytes(500)

    def fill_the_stack(depth):
        return [depth] * 3 and depth and fill_the_stack(depth - 1)

    for _ in range(50):
        Plain()      # so that the call is specialized
    for depth in range(0, 200, 7):
        fill_the_stack(depth)
        start()
        kept, line = [Plain() for _ in range(20)], here()
        for one in kept:
            assert line_of(one.kept) == Plain.__init__.__code__.co_firstlineno + 1
            assert line in [found for found, _ in place(one.kept)]
        memwhy.stop()


def test_a_frame_that_is_still_being_set_up_is_left_out():
    """A call with ** makes the dict before the first instruction of the function."""
    def takes(**options):
        return options

    start()
    kept, line = takes(**{"a": 1}), here()
    assert line_of(kept) in (line, takes.__code__.co_firstlineno)
    assert len(place(kept)) in (1, 2)


def test_a_line_is_that_of_the_instruction_also_after_a_jump_back():
    start()
    kept = []
    for number in range(30):
        kept.append([number])
        if number % 2:
            kept.append((
                bytes(100),
                bytes(200),
            ))
    line = here()
    for one in kept:
        if isinstance(one, tuple):
            assert [line_of(one[0]), line_of(one[1])] == [line - 3, line - 2]
        else:
            assert line_of(one) == line - 6


# ── code that dies ───────────────────────────────────────────────────────────────────


def test_blocks_of_code_that_died_keep_their_names():
    start()
    kept = []
    for number in range(200):
        namespace = {}
        # The next code object is likely to lie where the one before lay.
        exec(compile("\n" * number + f"def f{number}():\n return bytes(100)\nkept = f{number}()\n",
                     f"<made {number}>", "exec"), namespace)
        kept.append(namespace.pop("kept"))
        del namespace
    gc.collect()
    for number, one in enumerate(kept):
        frame = memwhy.get_object_traceback(one)[-1]
        found = frame.filename, frame.lineno, frame.function
        assert found == (f"<made {number}>", number + 2, f"f{number}")


def test_namedtuples_that_died_leave_right_names():
    start()
    for number in range(100):
        kept = collections.namedtuple(f"Point{number}", "x y")(bytes(99), number)
    assert line_of(kept.x) == here() - 1


def test_code_objects_are_not_kept_alive():
    namespace = {}
    exec("def f():\n return [1]\n", namespace)
    function = namespace["f"]
    references = sys.getrefcount(function.__code__)
    death = weakref.ref(function.__code__)
    start()
    kept = [function() for _ in range(100)]
    snapshot = memwhy.take_snapshot()
    references_now = sys.getrefcount(function.__code__)
    assert references_now == references
    namespace.clear()
    del function
    gc.collect()
    assert death() is None
    del kept, snapshot


@pytest.mark.no_leak_check("repeats itself")
@pytest.mark.no_sanitizer("it gives no address a second time soon, so tables of addresses grow")
def test_memory_does_not_grow_when_the_same_source_is_executed_again_and_again():
    """In a process of its own: in a large and holey heap, blocks go on to move to pages where
    none was, and each page has its labels."""
    growth = json.loads(run("""
        import json
        import memwhy
        source = "def f(x):\\n return [x] * 7\\nclass C:\\n  def __init__(self): self.a = f(1)\\nC()\\n"

        def repeat(times):
            for _ in range(times):
                exec(source, {})
            return memwhy.get_overhead()

        memwhy.start()
        _, before, after = [repeat(times) for times in (1000, 1000, 10_000)]
        print(json.dumps({name: after[name] - before[name] for name in after}))
        """))
    # A collection now and then allocates where none did.
    assert growth.pop("blocks") < 100_000
    assert sum(growth.values()) < 2000, growth


# ── blocks ───────────────────────────────────────────────────────────────────────────


def test_a_realloc_moves_a_block_to_the_line_that_grew_it():
    start()
    array = bytearray(10)
    array += bytes(100_000)
    grown = here() - 1
    assert len(array) == 100_010
    [trace] = [trace for trace in memwhy.take_snapshot().traces if 100_010 <= trace.size < 150_000
               and trace.traceback[-1].filename == __file__]
    assert trace.traceback[-1].lineno == grown


def test_traced_bytes_follow_reallocs_of_every_shape():
    array, text, items = bytearray(), "", []
    start()
    before = memwhy.get_traced_memory()[0]
    for number in range(3000):
        array += b"x" * (number % 700)
        text += "é" * (number % 50)
        items.append(None)
        if number % 5 == 0:
            del array[number * 3:]
        if number % 11 == 0:
            del items[number // 2:]
    alive = memwhy.get_traced_memory()[0] - before
    expected = array.__sizeof__() + sys.getsizeof(text) + sys.getsizeof(items)
    assert abs(alive - expected) < 4000
    del array, text, items
    assert memwhy.get_traced_memory()[0] - before < 4000


def test_sizes_are_those_that_were_asked_for():
    start()
    for size in [*range(0, 600, 7), 4096, 10**5, 10**6]:
        kept = bytes(size)
        if size > 1:        # shorter ones are made once for all
            sizes = [trace.size for trace in memwhy.take_snapshot().traces]
            assert sys.getsizeof(kept) in sizes
        del kept


def test_peak_is_the_highest_and_can_be_reset():
    start()
    big = bytes(10_000_000)
    del big
    current, peak = memwhy.get_traced_memory()
    assert peak > 10_000_000 > current
    memwhy.reset_peak()
    current, peak = memwhy.get_traced_memory()
    assert current <= peak < 1_000_000
    kept = bytes(2_000_000)
    assert 2_000_000 < memwhy.get_traced_memory()[1] < 3_000_000
    del kept


def test_clear_traces_forgets_what_was_and_goes_on():
    start()
    old = bytes(100_001)
    memwhy.clear_traces()
    assert memwhy.is_tracing()
    assert memwhy.get_traced_memory()[0] < 10_000
    assert memwhy.get_object_traceback(old) is None
    new, line = bytes(100_002), here()
    assert line_of(new) == line
    del old
    assert 100_000 < memwhy.get_traced_memory()[0] < 110_000


def test_blocks_older_than_start_have_no_traceback():
    old = [bytes(100), bytearray(100), [1, 2], {1: 2}, object()]
    start()
    assert [memwhy.get_object_traceback(one) for one in old] == [None] * len(old)


# ── objects ──────────────────────────────────────────────────────────────────────────


class Slotted:
    __slots__ = ("a", "b")


class Managed:
    """Its instances have a dict, and can be referred to weakly: words before the object."""


class WithoutDict(list):
    __slots__ = ()


@pytest.mark.parametrize("make", [
    object, Slotted, Managed, WithoutDict, lambda: bytes(9), lambda: 10**len("a" * 30),
    lambda: {1}, lambda: {1: 2}, lambda: type("T", (), {}), lambda: [1], lambda: (lambda: 1),
    lambda: "x".join("ab"), lambda: 1.5 * len("ab"), lambda: memoryview(b"x"),
    lambda: type("S", (int,), {})(7)])
def test_every_kind_of_object_is_found_by_its_address(make):
    make()
    start()
    kept, line = make(), here()
    assert line in [found for found, _ in place(kept)]


@pytest.mark.parametrize("thing", [None, True, int, type, (), "", b"", 5, sys, NotImplemented, ...])
def test_what_is_static_or_old_has_no_traceback(thing):
    start()
    assert memwhy.get_object_traceback(thing) is None
    assert tracemalloc.get_object_traceback(thing) is None


def test_tracing_changes_no_reference_count_and_no_dict():
    class Subject:
        pass

    def use(subject):
        subject.a = [subject]
        return subject.__dict__, {**subject.__dict__}

    subject = Subject()
    use(subject)
    things = [subject, Subject, use, use.__code__, sys.modules, __file__, subject.__dict__]

    def look():
        counts = [sys.getrefcount(thing) for thing in things]
        return counts, sorted(vars(Subject)), sorted(vars(use))

    look()
    before = look()
    start()
    for _ in range(100):
        use(subject)
    during = look()
    memwhy.take_snapshot().statistics("traceback")
    memwhy.stop()
    assert before == during == look()
