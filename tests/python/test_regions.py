# SPDX-License-Identifier: MIT
"""memwhy.region: what is allocated inside has the region in its path, and nothing else has."""
import asyncio
import contextlib
import gc
import inspect
import os
import pickle
import sys
import threading
import weakref

import pytest
from processes import PROGRAMS, environment, python, run

import memwhy
import memwhy.tracemalloc
from memwhy import _memwhy

pytestmark = pytest.mark.usefixtures("traced")


@pytest.fixture
def traced(untraced):
    """Every look at a mark is compared with a walk, and no region is left behind."""
    memwhy.start()
    _memwhy._check_marks(1)
    mismatches = _memwhy._check_marks()[2]
    yield
    gc.collect()
    assert _memwhy._check_marks()[2] == mismatches
    _memwhy._check_marks(0)
    assert memwhy.get_regions()["in_force"] == 0


class Thing:
    """Something to allocate."""


def make(depth=0):
    return make(depth - 1) if depth else Thing()


def regions_of(thing):
    """Outermost first."""
    traceback = memwhy.get_object_traceback(thing)
    return [frame.function for frame in traceback if frame.filename == "<region>"]


# ── one frame ─────────────────────────────────────────────────────────────────────────


def test_a_region_has_what_is_allocated_inside_however_deep_and_nothing_else():
    before = [Thing(), make()]
    with memwhy.region("checkout") as entered:
        inside = [Thing(), make(), make(100)]
    after = [Thing(), make(), make(100)]
    assert entered.name == "checkout" and repr(entered) == "<memwhy.region 'checkout'>"
    assert [regions_of(thing) for thing in inside] == [["checkout"]] * 3
    assert [regions_of(thing) for thing in before + after] == [[]] * 5


def test_the_region_stands_between_the_frame_that_entered_it_and_its_caller():
    def enter():
        with memwhy.region("job"):
            return make()

    functions = [frame.function for frame in memwhy.get_object_traceback(enter())]
    here = sys._getframe().f_code.co_qualname
    assert functions[functions.index("job") - 1] == here
    assert functions[functions.index("job") + 1] == enter.__qualname__


def test_a_region_is_shown_by_its_name():
    with memwhy.region("Straße"):
        thing = Thing()
    traceback = memwhy.get_object_traceback(thing)
    region = [frame for frame in traceback if frame.filename == "<region>"][0]
    assert (region.function, region.lineno, region.module) == ("Straße", 0, None)
    assert "  <region> Straße" in traceback.format()


def test_regions_nest_in_one_frame_and_across_frames():
    def inner():
        with memwhy.region("c"):
            return make(3)

    with memwhy.region("a"):
        with memwhy.region("b"):
            nested = Thing(), inner()
        outer = Thing()
    assert [regions_of(thing) for thing in nested] == [["a", "b"], ["a", "b", "c"]]
    assert regions_of(outer) == ["a"]


def test_regions_may_be_left_in_any_order():
    first, second = memwhy.region("first"), memwhy.region("second")
    first.__enter__()
    second.__enter__()
    both = Thing()
    first.__exit__(None, None, None)
    one = make()
    second.__exit__(None, None, None)
    assert regions_of(both) == ["first", "second"]
    assert regions_of(one) == ["second"]
    assert regions_of(Thing()) == []


def test_one_object_may_be_in_force_many_times():
    again = memwhy.region("again")

    def recurse(depth):
        with again:
            below = recurse(depth - 1) if depth else []
            return [Thing(), *below]

    things = recurse(4)
    assert [len(regions_of(thing)) for thing in things] == [1, 2, 3, 4, 5]
    with again, again:
        twice = Thing()
    assert regions_of(twice) == ["again", "again"]


def test_an_exception_ends_the_region_and_passes():
    with pytest.raises(ZeroDivisionError):
        with memwhy.region("failing"):
            1 / 0
    assert regions_of(Thing()) == []


def test_blocks_keep_their_region_when_it_has_been_left():
    grown = []
    for turn in range(3):
        with memwhy.region(f"turn {turn}"):
            grown.append(Thing())
    assert [regions_of(thing) for thing in grown] == [["turn 0"], ["turn 1"], ["turn 2"]]


def test_the_same_line_in_a_loop_is_told_apart_by_region():
    things = {}
    for turn in range(50):
        with memwhy.region("even" if turn % 2 == 0 else "odd"):
            things[turn] = Thing(), make(2)
    for turn, pair in things.items():
        assert [regions_of(thing) for thing in pair] == [["odd" if turn % 2 else "even"]] * 2


# ── who enters for whom ───────────────────────────────────────────────────────────────


def test_an_exit_stack_enters_for_the_function_that_asks_it():
    with contextlib.ExitStack() as stack:
        stack.enter_context(memwhy.region("one"))
        one = Thing()
        stack.enter_context(memwhy.region("two"))
        two = make()
    assert regions_of(one) == ["one"]
    assert regions_of(two) == ["one", "two"]
    assert regions_of(Thing()) == []


def test_stacklevel_enters_for_a_caller():
    @contextlib.contextmanager
    def transaction(name):
        with memwhy.region(name, stacklevel=2):
            yield

    class Manager:
        def __enter__(self):
            self.region = memwhy.region("managed", stacklevel=2)
            self.region.__enter__()

        def __exit__(self, *exc_info):
            return self.region.__exit__(*exc_info)

    with transaction("debit"):
        inside = Thing(), make()
        with Manager():
            managed = make()
    assert [regions_of(thing) for thing in inside] == [["debit"]] * 2
    assert regions_of(managed) == ["debit", "managed"]
    assert regions_of(make()) == []


def test_a_region_that_nobody_leaves_ends_with_its_function():
    def forget():
        memwhy.region("kept").__enter__()  # the object goes at once, and with it the region
        forgotten = memwhy.region("local")
        forgotten.__enter__()
        return make()

    for _ in range(3):
        assert regions_of(forget()) == ["local"]
        assert regions_of(make()) == []
    gc.collect()


def test_another_frame_at_the_same_place_does_not_inherit_a_region():
    left_open = []

    def enter_or_not(enters):
        if enters:
            left_open.append(memwhy.region("open"))
            left_open[-1].__enter__()
        return make()

    assert regions_of(enter_or_not(True)) == ["open"]
    assert [regions_of(enter_or_not(False)) for _ in range(5)] == [[]] * 5
    left_open.clear()


def test_a_region_may_be_left_from_further_in_and_from_another_thread():
    def leave(region):
        region.__exit__(None, None, None)
        return make()

    def leave_elsewhere(region):
        before = make()
        thread = threading.Thread(target=leave, args=(region,))
        thread.start()
        thread.join()
        return before, Thing(), make()

    region = memwhy.region("short")
    region.__enter__()
    assert regions_of(leave(region)) == []
    region.__enter__()
    before, *after = leave_elsewhere(region)
    assert regions_of(before) == ["short"]
    assert [regions_of(thing) for thing in [*after, Thing()]] == [[], [], []]


def test_a_region_is_left_from_inside_of_another():
    def leave_inside(outer):
        with memwhy.region("inner"):
            before = make()
            outer.__exit__(None, None, None)
            return before, make()

    outer = memwhy.region("outer")
    outer.__enter__()
    before, after = leave_inside(outer)
    assert regions_of(before) == ["outer", "inner"]
    assert regions_of(after) == ["inner"]
    assert regions_of(make()) == []


def test_leaving_what_was_not_entered_does_nothing():
    region = memwhy.region("never")
    region.__exit__(None, None, None)
    assert regions_of(Thing()) == []


# ── generators ────────────────────────────────────────────────────────────────────────


def test_a_generator_takes_its_regions_with_it_when_it_is_suspended():
    def generate():
        with memwhy.region("generator"):
            while True:
                yield Thing(), make()

    generator = generate()
    for outside in ("x", "y"):
        inside = next(generator)
        with memwhy.region(outside):
            mine = make()
            mixed = next(generator)
        assert [regions_of(thing) for thing in inside] == [["generator"]] * 2
        assert [regions_of(thing) for thing in mixed] == [[outside, "generator"]] * 2
        assert regions_of(mine) == [outside]
        assert regions_of(Thing()) == []
    generator.close()


def test_a_generator_that_another_thread_resumes_or_drops_has_its_regions_there():
    made = []

    def generate():
        with memwhy.region("wandering"):
            yield
            made.append(make())
            yield

    generators = [generate() for _ in range(3)]
    for generator in generators:
        next(generator)

    def elsewhere():
        for generator in generators:
            next(generator)
        made.append(make())
        generators.clear()

    thread = threading.Thread(target=elsewhere)
    del generator
    thread.start()
    thread.join()
    assert [regions_of(thing) for thing in made] == [["wandering"]] * 3 + [[]]


def test_a_generator_at_the_same_line_is_found_in_its_new_region():
    """The one instruction at which it is suspended says nothing of the region."""
    def generate():
        def suspend():
            return (yield make(2))

        for name in ("a", "b", "c"):
            region = memwhy.region(name)
            region.__enter__()
            yield from suspend()
            region.__exit__(None, None, None)

    assert [regions_of(thing) for thing in generate()] == [["a"], ["b"], ["c"]]


def test_a_function_that_goes_on_between_two_turns_of_a_generator_is_in_its_region_once():
    def generate():
        while True:
            yield make(2)

    def drive(generator):
        with memwhy.region("once"):
            return [next(generator),
                    next(generator),
                    next(generator), make(2),
                    next(generator)]

    for thing in drive(generate()):
        assert regions_of(thing) == ["once"]


# ── tasks and threads ─────────────────────────────────────────────────────────────────


def test_interleaved_tasks_never_see_each_others_regions():
    made = []

    async def below(name, turn):
        made.append((name, make(turn % 3)))
        await asyncio.sleep(0)
        made.append((name, Thing()))

    async def task(number):
        name = f"task {number}"
        made.append((None, make()))
        with memwhy.region(name):
            for turn in range(5):
                made.append((name, make()))
                await asyncio.sleep(0)
                await below(name, turn)
        made.append((None, Thing()))

    async def main():
        await asyncio.gather(*(task(number) for number in range(100)))

    asyncio.run(main())
    assert len(made) == 100 * 17
    wrong = [(name, regions_of(thing)) for name, thing in made
             if regions_of(thing) != ([name] if name else [])]
    assert wrong == []


def test_a_task_made_in_a_region_is_not_in_it_unless_it_enters_one():
    async def child():
        return make()

    async def main():
        with memwhy.region("parent"):
            awaited = await child()
            task = asyncio.create_task(child())
            decorated = asyncio.create_task(memwhy.region("child")(child)())
            return awaited, await task, await decorated

    awaited, task, decorated = asyncio.run(main())
    assert regions_of(awaited) == ["parent"]
    assert regions_of(task) == []
    assert regions_of(decorated) == ["child"]


def test_regions_are_carried_into_tasks_and_threads():
    def work(a, *, b):
        return a + b, make()

    async def child(a):
        await asyncio.sleep(0)
        return a, make()

    async def main():
        loop = asyncio.get_running_loop()
        with memwhy.region("outer"), memwhy.region("inner"):
            task = asyncio.create_task(memwhy.carry(child)(1))
            carried = memwhy.carry(work)
        return await task, await loop.run_in_executor(None, lambda: carried(2, b=3))

    (one, in_task), (five, in_thread) = asyncio.run(main())
    assert (one, five) == (1, 5)
    assert regions_of(in_task) == regions_of(in_thread) == ["outer", "inner"]
    assert memwhy.carry(work) is work
    with pytest.raises(TypeError, match="carried by functions"):
        memwhy.carry(None)


def test_threads_keep_their_regions_apart():
    made = []
    barrier = threading.Barrier(8)

    def work(number):
        name = f"thread {number}"
        with memwhy.region(name):
            for _ in range(20):
                barrier.wait(30)
                made.append((name, make(number)))
        made.append((None, make()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with memwhy.region("main"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(made) == 8 * 21
    assert all(regions_of(thing) == ([name] if name else []) for name, thing in made)


# ── decorating ────────────────────────────────────────────────────────────────────────


def test_it_decorates_every_kind_of_function_and_leaves_its_kind():
    job = memwhy.region("job")

    @job
    def function(a, *, b):
        """Says so."""
        return a, b, make()

    @job
    async def coroutine(a):
        await asyncio.sleep(0)
        return a, make()

    @job
    def generator(a):
        got = yield a, make()
        yield got, make()
        return "result"

    @job
    async def async_generator(a):
        got = yield a, make()
        try:
            yield got, make()
        except KeyError:
            yield "caught", make()

    assert function.__name__ == "function" and function.__doc__ == "Says so."
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)

    *values, thing = function(1, b=2)
    assert values == [1, 2] and regions_of(thing) == ["job"]
    value, thing = asyncio.run(coroutine(3))
    assert value == 3 and regions_of(thing) == ["job"]

    made = generator(4)
    value, thing = next(made)
    assert value == 4 and regions_of(thing) == ["job"]
    value, thing = made.send(5)
    assert value == 5 and regions_of(thing) == ["job"]
    with pytest.raises(StopIteration, match="result"):
        next(made)

    async def drive():
        made = async_generator(6)
        first = await made.__anext__()
        second = await made.asend(7)
        third = await made.athrow(KeyError)
        with pytest.raises(StopAsyncIteration):
            await made.__anext__()
        unfinished = async_generator(8)
        await unfinished.__anext__()
        await unfinished.aclose()
        return first, second, third

    answers = asyncio.run(drive())
    assert [value for value, _ in answers] == [6, 7, "caught"]
    assert [regions_of(thing) for _, thing in answers] == [["job"]] * 3
    assert regions_of(make()) == []


def test_it_decorates_methods():
    class Service:
        @memwhy.region("service")
        def handle(self, value):
            return self, value, make()

    service = Service()
    owner, value, thing = service.handle(1)
    assert owner is service and value == 1 and regions_of(thing) == ["service"]


@pytest.mark.parametrize("wrong", [None, "text", 3])
def test_it_decorates_nothing_else(wrong):
    with pytest.raises(TypeError, match="decorates functions"):
        memwhy.region("job")(wrong)


# ── arguments ─────────────────────────────────────────────────────────────────────────


def test_what_is_no_name_is_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        memwhy.region("")
    with pytest.raises(TypeError):
        memwhy.region(3)
    with pytest.raises(ValueError, match="stacklevel"):
        memwhy.region("name", stacklevel=0)


def test_long_names_and_odd_ones_are_taken_as_far_as_they_fit():
    names = ["é" * 200, "a\0b", "\ud800"]
    for name in names:
        with memwhy.region(name):
            thing = make()
        assert regions_of(thing) == [name[:120]]


def test_there_is_an_end_to_names():
    out = run("""
        import memwhy
        memwhy.start()
        for number in range(5000):
            with memwhy.region(f"name {number}"):
                kept = bytearray(10)
        print([frame.function for frame in memwhy.get_object_traceback(kept)
               if frame.filename == "<region>"], memwhy.get_regions())
        with memwhy.region("name 7"):
            kept = bytearray(10)
        print([frame.function for frame in memwhy.get_object_traceback(kept)
               if frame.filename == "<region>"])
    """)
    assert out.splitlines() == [
        "['<other regions>'] {'in_force': 0, 'names': 4096, 'others': 904, 'refused': 0}",
        "['name 7']",
    ]


def test_there_is_an_end_to_the_regions_of_one_frame():
    refused = memwhy.get_regions()["refused"]
    with contextlib.ExitStack() as stack:
        for _ in range(70):
            stack.enter_context(memwhy.region("deep"))
        thing = Thing()
    assert regions_of(thing) == ["deep"] * 64
    assert memwhy.get_regions()["refused"] == refused + 6
    assert regions_of(Thing()) == []


# ── snapshots ─────────────────────────────────────────────────────────────────────────


def of_this_file(snapshot):
    return snapshot.filter_traces([memwhy.Filter(True, __file__)])


def by_region(snapshot):
    return {str(row.traceback): row.size for row in snapshot.statistics("region")}


def test_statistics_by_region_have_the_innermost():
    kept = [bytes(1000)]
    with memwhy.region("outer"):
        kept.append(bytes(2000))
        with memwhy.region("inner"):
            kept.append(bytes(3000))
    sizes = by_region(of_this_file(memwhy.take_snapshot()))
    assert 1000 < sizes["<no region>"] < 2000 < sizes["outer"] < 3000 < sizes["inner"] < 4000


def test_a_region_is_seen_however_few_frames_tracebacks_keep():
    memwhy.stop()
    memwhy.start(1)
    with memwhy.region("whole"):
        kept = make()
    snapshot = memwhy.take_snapshot()
    assert "whole" in by_region(snapshot)
    assert len(memwhy.get_object_traceback(kept)) == 1


def test_regions_are_compared_filtered_and_tell_tracebacks_apart():
    old = memwhy.take_snapshot()
    kept = []
    for name in ("red", "blue"):
        with memwhy.region(name):
            kept.append(bytes(5000))
    snapshot = memwhy.take_snapshot()
    changes = {str(row.traceback): row.size_diff for row in snapshot.compare_to(old, "region")}
    assert changes["red"] > 5000 and changes["blue"] > 5000
    in_regions = snapshot.filter_traces([memwhy.Filter(True, "<region>", all_frames=True)])
    assert set(by_region(in_regions)) == {"red", "blue"}
    large = [row for row in in_regions.statistics("traceback") if row.size >= 5000]
    assert sorted(regions_of_row(row) for row in large) == [["blue"], ["red"]]


def regions_of_row(row):
    return [frame.function for frame in row.traceback if frame.filename == "<region>"]


def test_a_snapshot_file_keeps_regions(tmp_path):
    with memwhy.region("filed"):
        kept = bytes(7000)
    snapshot = memwhy.take_snapshot()
    snapshot.dump(tmp_path / "file")
    again = memwhy.Snapshot.load(tmp_path / "file")
    assert by_region(again)["filed"] == by_region(snapshot)["filed"] > 7000
    assert by_region(pickle.loads(pickle.dumps(snapshot)))["filed"] > 7000
    del kept


def test_the_standard_module_knows_no_regions():
    def allocate():
        large = bytes(9000)
        return make(), large

    kept = []
    for name in ("seen", "unseen"):
        with memwhy.region(name):
            kept.append(allocate())
    thing = kept[0][0]
    plain = memwhy.tracemalloc.get_object_traceback(thing)
    whole = memwhy.get_object_traceback(thing)
    assert list(plain) == [frame for frame in whole if frame.filename != "<region>"]
    snapshot = memwhy.tracemalloc.take_snapshot()
    traces = [trace for trace in snapshot.traces if trace.size > 9000]
    assert all(frame.filename != "<region>" for trace in traces for frame in trace.traceback)
    assert all(trace.traceback.total_nframe == len(trace.traceback) for trace in traces)
    assert "<region>" not in repr(memwhy.tracemalloc._get_traces())
    assert "<region>" not in repr(memwhy.tracemalloc._get_object_traceback(thing))
    # Two regions, one line: one traceback.
    rows = [row for row in snapshot.statistics("traceback") if row.size > 18000]
    assert len(rows) == 1 and len(traces) == 2


# ── tracing that comes and goes ───────────────────────────────────────────────────────


def test_a_region_outlasts_the_tracing():
    memwhy.stop()
    with memwhy.region("long"):
        memwhy.start()
        started = make(), Thing()
        memwhy.clear_traces()
        cleared = make(), Thing()
        memwhy.stop()
        memwhy.start()
        again = make(), Thing()
        assert memwhy.get_object_traceback(started[0]) is None
        assert [regions_of(thing) for thing in again] == [["long"]] * 2
        del cleared
    assert regions_of(Thing()) == []


def test_samples_have_regions():
    memwhy.stop()
    memwhy.start(sample=1)
    kept = [bytearray(20_000)]
    with memwhy.region("sampled"):
        kept.append(bytearray(30_000))
    sizes = by_region(memwhy.take_snapshot())
    assert 30_000 <= sizes["sampled"] < 40_000


def test_a_start_filter_may_name_regions():
    memwhy.stop()
    memwhy.start(filters=[memwhy.Filter(True, "<region>", all_frames=True)])
    outside = Thing()
    with memwhy.region("wanted"):
        inside = Thing()
    assert memwhy.get_object_traceback(outside) is None
    assert regions_of(inside) == ["wanted"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_is_in_the_region_that_it_was_forked_in():
    out = run("""
        import os, sys, threading, memwhy
        memwhy.start()

        def regions_of(thing):
            return [frame.function for frame in memwhy.get_object_traceback(thing)
                    if frame.filename == "<region>"]

        entered, over = threading.Event(), threading.Event()
        shared = memwhy.region("other thread")

        def other():
            with shared:
                entered.set()
                over.wait()

        thread = threading.Thread(target=other)
        thread.start()
        entered.wait()
        with memwhy.region("parent"):
            child = os.fork()
            if child == 0:
                # The same function in a new thread lies where the old one lay.
                found = []
                threads = [threading.Thread(target=lambda: found.append(bytearray(10)))
                           for _ in range(3)]
                for each in threads:
                    each.start()
                    each.join()
                here = bytearray(10)
                print(regions_of(here), [regions_of(thing) for thing in found], flush=True)
                shared.__exit__(None, None, None)
                os._exit(0)
            os.waitpid(child, 0)
        over.set()
        thread.join()
        print(memwhy.get_regions()["in_force"])
    """, options=("-W", "ignore"))  # that threads and fork do not go together
    assert out.splitlines() == ["['parent'] [[], [], []]", "0"]


def test_other_interpreters_run_beside_regions():
    interpreters = (pytest.importorskip("_interpreters") if sys.version_info >= (3, 13)
                    else pytest.importorskip("_xxsubinterpreters"))
    number = interpreters.create()
    with memwhy.region("main"):
        source = "kept = [bytes(50_000) for _ in range(100)]"
        if sys.version_info >= (3, 13):
            interpreters.exec(number, source)
        else:
            interpreters.run_string(number, source)
        mine = make()
    interpreters.destroy(number)
    assert regions_of(mine) == ["main"]


# ── nothing is kept ───────────────────────────────────────────────────────────────────


def test_no_object_outlives_its_region():
    def use():
        thing = Thing()
        with memwhy.region("use"):
            make()
        return weakref.ref(thing)

    assert use()() is None

    def open_and_forget():
        thing = Thing()
        region = memwhy.region("cycle")
        region.__enter__()
        return weakref.ref(thing)

    seen = open_and_forget()
    gc.collect()
    assert seen() is None


def test_entering_and_leaving_leaves_no_block_behind():
    def turn():
        for _ in range(100):
            with memwhy.region("turn"):
                make()

    turn()
    before = sys.getallocatedblocks()
    turn()
    assert sys.getallocatedblocks() - before < 20


# ── at random ─────────────────────────────────────────────────────────────────────────

SEEDS = range(int(os.environ.get("MEMWHY_STRESS_SEEDS", "2")))
STEPS = os.environ.get("MEMWHY_STRESS_STEPS", "150")


@pytest.mark.parametrize("how, disabled", [("exact", ""), ("exact", "marks"), ("exact", "all"),
                                           ("sampled", "")])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_agree_with_their_slow_twin(seed, how, disabled):
    done = python("-W", "ignore", PROGRAMS / "region_stress.py", seed, STEPS, how, timeout=600,
                  env=environment(MEMWHY_DISABLE=disabled or None))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 wrong; 0 marks wrong" in done.stdout
    assert "in force at the end: 0" in done.stdout
