# SPDX-License-Identifier: MIT
"""Memory that extensions report with PyTraceMalloc_Track: see tests/programs/capi_tracks."""
import os
import sys

import pytest

from processes import STARTS_AND_STOPS, environment, run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

forks_with_threads = pytest.mark.no_sanitizer(
    "a forked child may hang in the sanitizer's own allocator, whose locks other threads held")

# What a call that does not come to us is answered: "not tracing".  Before 3.13 the standard
# module may take us for itself, where its first instructions leave no room for a jump
# (pyext/reuse_detour.c); then it answers 0, and records in vain.
NOT_HEARD = (-2,) if sys.version_info >= (3, 13) else (-2, 0)

WHERE = ["gil", "nogil", "native"]
BY = ["call", "constant", "variable"]

# Every program begins so.
PREAMBLE = """
import sys
import memwhy, memwhy.tracemalloc as tm
import capi_tracks as c

def blocks(domain):
    only = memwhy.DomainFilter(True, domain)
    return list(memwhy.take_snapshot().filter_traces([only]).traces)

def here():
    return sys._getframe(1).f_lineno

not_heard = {not_heard}

def domains_memory(*domains):
    return sum(t.size for d in domains for t in blocks(d))
""".replace("{not_heard}", str(NOT_HEARD)) + STARTS_AND_STOPS


@pytest.fixture
def program(capi_tracks):
    def run_program(source, *arguments, preamble=PREAMBLE, **changes):
        path = os.pathsep.join(filter(None, [str(capi_tracks), os.environ.get("PYTHONPATH")]))
        env = environment(PYTHONPATH=path, **changes)
        text = "\n".join(line.removeprefix("    ") for line in source.splitlines())
        return run(preamble + text, *arguments, env=env)
    return run_program


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("where", WHERE)
def test_a_block_is_known_from_track_to_untrack(program, where, by):
    program("""
    where, by = sys.argv[1:]
    memwhy.start()
    before = memwhy.get_traced_memory()[0]
    assert c.track(where, 389047, 0x1000, 70001, by) == 0; line = here()
    [trace] = blocks(389047)
    assert (trace.domain, trace.size) == (389047, 70001)
    if where == "native":       # Python knows no stack of such a thread
        assert [f.filename for f in trace.traceback] == ["<unknown>"], trace
    else:
        assert [f.lineno for f in trace.traceback] == [line], (trace, line)
    assert memwhy.get_traced_memory()[0] - before >= 70001
    assert memwhy.get_traced_memory()[1] >= before + 70001
    assert c.untrack(where, 389047, 0x1000, by) == 0
    assert not blocks(389047)
    # Again, and what was never there: nothing happens, and that is no error.
    assert c.untrack(where, 389047, 0x1000, by) == 0
    assert c.untrack(where, 389048, 0x1000, by) == 0
    assert memwhy.get_lost() == (0, 0)
    """, where, by)


@pytest.mark.parametrize("where", WHERE)
def test_a_known_pointer_gets_the_new_size_and_line(program, where):
    program("""
    [where] = sys.argv[1:]
    memwhy.start()
    for size in (10, 512, 513, 70001, 0, 20):
        before = memwhy.get_traced_memory()[0] - domains_memory(5)
        assert c.track(where, 5, 0x2000, size) == 0; line = here()
        [trace] = blocks(5)
        assert trace.size == size
        assert where == "native" or trace.traceback[-1].lineno == line
    c.untrack("gil", 5, 0x2000)
    assert not blocks(5)
    """, where)


def test_one_pointer_may_be_known_in_several_domains(program):
    program("""
    memwhy.start()
    domains = [1, 5, 389047, 2**32 - 1]
    for i, domain in enumerate(domains):
        assert c.track("gil", domain, 0x3000, 100 + i) == 0
    for i, domain in enumerate(domains):
        assert [t.size for t in blocks(domain)] == [100 + i]
    c.untrack("gil", 5, 0x3000)
    assert [len(blocks(domain)) for domain in domains] == [1, 0, 1, 1]
    statistics = memwhy.take_snapshot().filter_traces(
        [memwhy.DomainFilter(False, 0)]).statistics("lineno")
    assert [(s.size, s.count) for s in statistics] == [(100 + 102 + 103, 3)]
    """)


def test_a_traceback_is_the_whole_stack_with_and_without_the_gil(program):
    program("""
    def inner(where):
        c.track(where, 9, 0x1000, 1)

    def outer(where):
        inner(where)

    memwhy.start()
    for where in ("gil", "nogil"):
        outer(where); line = here()
        [trace] = blocks(9)
        assert [f.lineno for f in trace.traceback] == [
            line, outer.__code__.co_firstlineno + 1, inner.__code__.co_firstlineno + 1]
    """)


def test_the_standard_function_answers_while_we_do_not_trace(program):
    program("""
    def answers(by):
        return [c.track(where, 5, 0x1000, 10, by) for where in ("gil", "nogil", "native")] + \\
               [c.untrack(where, 5, 0x1000, by) for where in ("gil", "nogil", "native")]

    for _ in range(3):
        for by in ("call", "constant", "variable"):
            assert answers(by) == [-2] * 6
        memwhy.start()
        for by in ("call", "constant", "variable"):
            assert answers(by) == [0] * 6
        c.track("gil", 5, 0x1000, 10)
        memwhy.stop()
    import tracemalloc
    tracemalloc.start()
    assert answers("call") == [0] * 6
    """)


def test_a_block_of_a_former_tracing_is_forgotten(program):
    program("""
    memwhy.start()
    c.track("gil", 5, 0x1000, 10)
    memwhy.stop()
    memwhy.start()
    assert not blocks(5)
    assert c.untrack("gil", 5, 0x1000) == 0
    c.track("gil", 5, 0x1000, 20)
    memwhy.clear_traces()
    assert not blocks(5)
    c.track("gil", 5, 0x1000, 30)
    assert [t.size for t in blocks(5)] == [30]
    """)


def test_what_the_api_gives_for_a_tracked_block(program):
    program("""
    tm.start()
    c.track("gil", 389047, 0x1000, 70001)
    assert [t[:2] for t in tm._get_traces() if t[0]] == [(389047, 70001)]
    snapshot = tm.take_snapshot()
    assert len(snapshot.filter_traces([tm.DomainFilter(True, 389047)]).traces) == 1
    inside = snapshot.filter_traces([tm.Filter(True, "*", domain=389047)])
    assert [t.domain for t in inside.traces] == [389047]
    import tempfile
    with tempfile.NamedTemporaryFile() as file:
        snapshot.dump(file.name)
        again = tm.Snapshot.load(file.name)
    assert [t for t in again.traces if t.domain] == [t for t in snapshot.traces if t.domain]
    """)


# ── domain 0: Python's own ─────────────────────────────────────────────────────────────

def test_a_python_block_may_be_tracked_and_untracked_in_domain_0(program):
    program("""
    def size_of(block):
        return [t.size for t in memwhy.take_snapshot().traces if t.size == block]

    memwhy.start()
    for size in (71, 400, 70001):       # in the pools, and beyond
        block = bytes(size)
        base = memwhy.get_traced_memory()[0]
        own = sys.getsizeof(block)
        assert c.track("gil", 0, id(block), 90001 + size) == 0; line = here()
        assert memwhy.get_object_traceback(block)[-1].lineno == line
        assert size_of(90001 + size) and memwhy.get_traced_memory()[0] > base + 90001 - own
        del block                       # its free ends it
        assert not size_of(90001 + size)
        block = bytes(size)
        c.untrack("gil", 0, id(block))
        assert memwhy.get_object_traceback(block) is None
        del block
        block = bytes(size)             # as a rule in the same place
        assert memwhy.get_object_traceback(block)[-1].lineno == here() - 1
    """)


def test_memory_of_an_extension_may_be_in_domain_0_without_the_gil(program):
    program("""
    memwhy.start()
    for where in ("gil", "nogil", "native"):
        for other in ("gil", "nogil", "native"):
            assert c.track(where, 0, 0x1000, 90001) == 0
            assert c.track(other, 0, 0x1000, 90003) == 0
            assert [t.size for t in memwhy.take_snapshot().traces
                    if t.size in (90001, 90003)] == [90003]
            assert c.untrack(where, 0, 0x1000) == 0
            assert 90003 not in [t.size for t in memwhy.take_snapshot().traces]
    """)


# ── libraries that come later ──────────────────────────────────────────────────────────

def test_an_extension_that_is_imported_later_is_heard_from_its_first_call(program):
    program("""
    import sys, memwhy
    memwhy.start()
    import capi_tracks
    for by in ("call", "constant", "variable"):
        capi_tracks.track("gil", 5, 0x1000, 10, by)
        capi_tracks.track("gil", 5, 0x2000, 10, by)
        capi_tracks.untrack("gil", 5, 0x2000, by)
        only = memwhy.DomainFilter(True, 5)
        assert len(memwhy.take_snapshot().filter_traces([only]).traces) == 1
        capi_tracks.untrack("gil", 5, 0x1000, by)
    """, preamble="")


@pytest.mark.parametrize("loader", ["CDLL", "PyDLL"])
def test_a_library_that_ctypes_loads_later_is_heard_from_its_first_call(program, loader,
                                                                        capi_tracks):
    program("""
    import ctypes
    memwhy.start()
    library = getattr(ctypes, sys.argv[1])(sys.argv[2])
    pointer = ctypes.c_size_t(0x1000)
    assert library.late_track(5, pointer, ctypes.c_size_t(70001)) == 0; line = here()
    assert [(t.size, t.traceback[-1].lineno) for t in blocks(5)] == [(70001, line)]
    assert library.late_untrack(5, pointer) == 0
    assert not blocks(5)
    memwhy.stop()
    assert library.late_track(5, pointer, ctypes.c_size_t(70001)) == -2
    """, loader, capi_tracks / "late_library.so")


def test_a_library_that_c_loads_later_is_heard_from_the_next_snapshot_on(program, capi_tracks):
    program("""
    memwhy.start()
    c.open_library(sys.argv[1])
    assert c.track("gil", 5, 0x1000, 10, "library") in not_heard
    memwhy.take_snapshot()
    assert c.track("gil", 5, 0x1000, 10, "library") == 0
    assert len(blocks(5)) == 1
    memwhy.stop()
    assert c.untrack("gil", 5, 0x1000, "library") == -2
    """, capi_tracks / "late_library.so")


def test_pointers_that_ctypes_looks_up_while_tracing_are_ours_and_good_for_ever(program):
    program("""
    import ctypes
    address = ctypes.c_size_t(0x1000)
    memwhy.start()
    track = ctypes.pythonapi.PyTraceMalloc_Track
    untrack = ctypes.pythonapi.PyTraceMalloc_Untrack
    assert track(5, address, ctypes.c_size_t(10)) == 0 and len(blocks(5)) == 1
    assert untrack(5, address) == 0 and not blocks(5)
    memwhy.stop()
    assert track(5, address, ctypes.c_size_t(10)) == -2 and untrack(5, address) == -2
    """)


# ── what may go wrong ──────────────────────────────────────────────────────────────────

def test_with_the_mechanism_off_everything_else_is_traced(program):
    program("""
    memwhy.start()
    assert c.track("gil", 5, 0x1000, 10) in not_heard and c.untrack("gil", 5, 0x1000) in not_heard
    kept = bytes(70001)
    assert not blocks(5)
    assert memwhy.get_object_traceback(kept)[-1].lineno == here() - 2
    memwhy.stop()
    """, MEMWHY_DISABLE="capi-domains")


def test_more_domains_than_there_are_numbers_for_are_lost_and_counted(program):
    program("""
    memwhy.start()
    answers = [c.track("gil", domain, 0x1000, 10) for domain in range(1, 1030)]
    assert answers == [0] * 1024 + [-1] * 5
    assert memwhy.get_lost() == (5, 50)
    assert c.track("gil", 7, 0x2000, 10) == 0
    """)


def test_foreign_threads_may_go_on_through_every_start_and_stop(program):
    out = program("""
    c.start_threads()
    start_and_stop_often(c)
    memwhy.start()
    c.stop_threads()
    assert c.wrong() == 0
    assert memwhy.get_lost() == (0, 0)
    # What they tracked they untracked; a block of theirs may be between the two at a start.
    assert sum(len(blocks(domain)) for domain in (900, 901, 902)) <= 4
    print("ok")
    """)
    assert out == "ok\n"


def test_the_standard_tracer_goes_on_while_we_start_and_stop(program):
    """It is not started and stopped itself: until 3.13.2 that was a race with Track (gh-128679)."""
    program("""
    import tracemalloc
    tracemalloc.start()
    c.start_threads()
    turn = 0
    while turn < 100 or c.rounds() < 100:
        memwhy.start()
        c.track("gil", 5, 0x1000, 100 + turn)
        assert len(blocks(5)) == 1
        memwhy.stop()
        assert [t[1] for t in tracemalloc._get_traces() if t[0] == 5] == [100 + turn]
        turn += 1
    c.stop_threads()
    assert c.wrong() == 0
    """)


@forks_with_threads
def test_a_fork_while_foreign_threads_report_gives_a_child_that_traces(program):
    program("""
    import os, warnings
    warnings.simplefilter("ignore")     # that a process with threads forks
    memwhy.start()
    c.start_threads()
    for i in range(50):
        child = os.fork()
        if not child:
            ok = c.track("gil", 5, 0x1000, 70001 + i) == 0 and len(blocks(5)) == 1
            memwhy.stop()
            memwhy.start()
            os._exit(0 if ok and not blocks(5) else 1)
        assert os.waitpid(child, 0)[1] == 0
    c.stop_threads()
    """)


def test_the_process_may_end_while_threads_report_and_report_after_its_end(program):
    program("""
    import builtins
    memwhy.start()
    builtins.kept_to_the_very_end = c.late()
    c.start_threads()
    """)


# ── beside the standard tracer ─────────────────────────────────────────────────────────

@pytest.mark.parametrize("seed", range(3))
def test_both_tracers_know_the_same_blocks_of_every_domain(program, seed):
    out = program("""
    import random, tracemalloc
    rng = random.Random(int(sys.argv[1]))
    kept = [bytes(100 * i) for i in range(8)]
    tracemalloc.start(7)
    memwhy.start(7)
    kept = [bytes(100 * i) for i in range(8)]

    def deep(n, function, *arguments):
        return deep(n - 1, function, *arguments) if n else function(*arguments)

    answers = []
    for _ in range(3000):
        domain = rng.choice([1, 5, 389047, 2**32 - 1])
        address = rng.randrange(0, 40) * 16
        where = rng.choice(["gil"] * 8 + ["nogil"] * 4 + ["native"])
        if rng.random() < 0.6:
            call = c.track, where, domain, address, rng.choice([0, 8, 512, 513, 70001])
        else:
            call = c.untrack, where, domain, address
        answers.append(deep(rng.randrange(10), *call))
    for block in kept[:4]:
        answers.append(c.track("gil", 0, id(block), 90000))
    for block in kept[2:6]:
        answers.append(c.untrack("gil", 0, id(block)))
    assert set(answers) == {0}
    of_python = [memwhy.tracemalloc.get_object_traceback(block) for block in kept]
    assert list(map(str, of_python)) == list(map(str, map(tracemalloc.get_object_traceback, kept)))
    ours = sorted(t for t in tm._get_traces() if t[0])
    theirs = sorted(t for t in tracemalloc._get_traces() if t[0])
    assert ours == theirs, (ours[:3], theirs[:3])
    print(len(ours))
    """, seed)
    assert int(out) > 50


@pytest.mark.parametrize("where", WHERE)
def test_start_filters_hold_for_what_extensions_report(program, where):
    """Without the GIL, and under it, the filters are asked by the block's own domain."""
    program("""
    [where] = sys.argv[1:]
    filters = [memwhy.DomainFilter(True, 5), memwhy.Filter(True, "nowhere.py", domain=6),
               memwhy.Filter(False, "*", domain=7)]
    memwhy.start(filters=filters)
    for domain in (5, 6, 7):
        assert c.track(where, domain, 0x2000, 70001) == 0
    assert [t.size for t in blocks(5)] == [70001] and not blocks(6) and not blocks(7)
    assert {t.domain for t in memwhy.take_snapshot().traces} == {5}
    assert memwhy.get_traced_memory() == (70001, 70001)
    for domain in (5, 6, 7):
        assert c.untrack(where, domain, 0x2000) == 0
    assert memwhy.get_traced_memory() == (0, 70001)
    """, where)
