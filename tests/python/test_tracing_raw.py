# SPDX-License-Identifier: MIT
"""Allocations as C extensions make them: see tests/programs/raw_calls."""
import os
import sys

import pytest

from processes import STARTS_AND_STOPS, environment, run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

speaks_of_refusals = pytest.mark.no_sanitizer("its allocator ends the process, or prints a warning")

forks_with_threads = pytest.mark.no_sanitizer(
    "a forked child may hang in the sanitizer's own allocator, whose locks other threads held")

WHERE = ["gil", "nogil", "native"]

# Every program begins so.  A block is found again by its unusual size.
PREAMBLE = """
import sys
import memwhy, memwhy.tracemalloc as tm
import raw_calls as c

def blocks_of(size):
    return [t for t in memwhy.take_snapshot().traces if t.size == size]

def lines_of(size):
    return [[f.lineno for f in t.traceback] for t in blocks_of(size)]

def here():
    return sys._getframe(1).f_lineno
""" + STARTS_AND_STOPS


@pytest.fixture
def program(raw_calls):
    def run_program(source, *arguments):
        path = os.pathsep.join(filter(None, [str(raw_calls), os.environ.get("PYTHONPATH")]))
        env = environment(PYTHONPATH=path)
        return run(PREAMBLE + "\n".join(line.removeprefix("    ") for line in source.splitlines()),
                   *arguments, env=env)
    return run_program


@pytest.mark.parametrize("where", WHERE)
def test_a_raw_block_is_known_from_its_birth_to_its_end(program, where):
    program("""
    where = sys.argv[1]
    memwhy.start()
    before = memwhy.get_traced_memory()[0]
    block = c.malloc(where, c.RAW, 70001); line = here()
    [trace] = blocks_of(70001)
    if where == "native":       # Python knows no stack of such a thread
        assert [f.filename for f in trace.traceback] == ["<unknown>"], trace
    else:
        assert [f.lineno for f in trace.traceback] == [line], (trace, line)
    block = c.realloc(where, c.RAW, block, 90001)
    assert not blocks_of(70001) and len(blocks_of(90001)) == 1
    c.free(where, c.RAW, block)
    assert not blocks_of(90001)
    block = c.calloc(where, c.RAW, 70003)
    assert len(blocks_of(70003)) == 1
    c.free(where, c.RAW, block)
    assert not blocks_of(70003)
    assert memwhy.get_lost() == (0, 0)
    """, where)


@pytest.mark.parametrize("born", WHERE)
@pytest.mark.parametrize("dies", WHERE)
def test_a_block_may_die_elsewhere_than_it_was_born(program, born, dies):
    program("""
    born, dies = sys.argv[1:]
    memwhy.start()
    for size in (33, 701, 70001):
        block = c.malloc(born, c.RAW, size + 4)
        block = c.realloc(dies, c.RAW, block, size + 200000)
        assert len(blocks_of(size + 200000)) == 1
        c.free(dies, c.RAW, block)
        assert not blocks_of(size + 200000)
    """, born, dies)


def test_a_traceback_without_the_gil_is_the_whole_stack(program):
    program("""
    def inner(size):
        return c.malloc("nogil", c.RAW, size)

    def outer(size):
        return inner(size)

    memwhy.start()
    outer(70001); line = here()
    [trace] = blocks_of(70001)
    # The oldest frame first.
    assert [f.lineno for f in trace.traceback] == [
        line, outer.__code__.co_firstlineno + 1, inner.__code__.co_firstlineno + 1]
    memwhy.stop()
    memwhy.start(1)
    outer(70001)
    [trace] = blocks_of(70001)
    assert len(trace.traceback) == 1 and trace.traceback.total_nframe == 3
    """)


def test_a_deep_traceback_without_the_gil_is_the_whole_stack_too(program):
    program("""
    def descend(depth):
        if depth:
            return descend(depth - 1)
        return c.malloc("nogil", c.RAW, 70000 + len(name\u00e9))

    name\u00e9 = "x"
    source = "def called(depth):\\n    return descend(depth)"
    names = dict(globals())
    exec(compile(source, "na\u00efve.py", "exec"), names)
    memwhy.start()
    for depth in (5, 125, 126, 127, 128, 129, 130, 131, 900):
        block = names["called"](depth)
        [trace] = blocks_of(70001)
        frames = trace.traceback
        assert len(frames) == depth + 3, (len(frames), depth)
        assert frames[1].filename == "na\u00efve.py"
        first = descend.__code__.co_firstlineno
        assert [f.lineno for f in frames[2:]] == [first + 2] * depth + [first + 3]
        c.free("nogil", c.RAW, block)
    """)


@speaks_of_refusals
@pytest.mark.parametrize("where", ["gil", "nogil"])
def test_a_realloc_that_fails_leaves_the_old_trace(program, where):
    program("""
    where = sys.argv[1]
    memwhy.start()
    for domain in (c.RAW, c.MEM, c.OBJ) if where == "gil" else (c.RAW,):
        for size in (333, 70001):
            block = c.malloc(where, domain, size); line = here()
            before = lines_of(size)
            traced = memwhy.get_traced_memory()[0]
            assert [line] in before
            assert c.realloc(where, domain, block, sys.maxsize) == 0
            assert lines_of(size) == before
            c.free(where, domain, block)
            assert len(lines_of(size)) == len(before) - 1
    """, where)


@speaks_of_refusals
def test_a_refused_malloc_leaves_no_trace(program):
    program("""
    memwhy.start()
    for domain in (c.RAW, c.MEM, c.OBJ):
        assert c.malloc("gil", domain, sys.maxsize) == 0
        assert not blocks_of(sys.maxsize)
    assert memwhy.get_lost() == (0, 0)
    """)


@pytest.mark.skipif(hasattr(sys, "gettotalrefcount"), reason="a debug build ends at such mistakes")
def test_a_large_raw_block_may_be_freed_as_one_of_another_domain(program):
    """It is a mistake, and works: beyond 512 bytes all domains are the C library's."""
    program("""
    memwhy.start()
    for born in (c.RAW, c.MEM, c.OBJ):
        for dies in (c.RAW, c.MEM, c.OBJ):
            block = c.malloc("gil", born, 70001)
            assert len(blocks_of(70001)) == 1
            block = c.realloc("gil", dies, block, 80001)
            assert len(blocks_of(80001)) == 1 and not blocks_of(70001)
            c.free("gil", born, block)
            assert not blocks_of(80001)
    """)


def test_a_large_block_that_shrinks_is_still_one_block(program):
    """pymalloc leaves it where it is, outside of its pools."""
    program("""
    memwhy.start()
    for domain in (c.RAW, c.MEM, c.OBJ):
        for size in (511, 77, 1, 0):
            count = len(blocks_of(size))
            block = c.malloc("gil", domain, 70001)
            block = c.realloc("gil", domain, block, size)
            assert len(blocks_of(size)) >= count + 1
            block = c.realloc("gil", domain, block, 70003)
            assert len(blocks_of(70003)) == 1
            c.free("gil", domain, block)
            assert not blocks_of(70003)
    """)


def test_blocks_older_than_start_stay_unknown(program):
    program("""
    old = [(domain, c.malloc("gil", domain, size))
           for domain in (c.RAW, c.MEM, c.OBJ) for size in (40, 333, 70001)]
    grown = [c.malloc("gil", domain, 60001) for domain in (c.RAW, c.MEM, c.OBJ)]
    memwhy.start()
    assert not blocks_of(70001)
    for domain, block in old:
        c.free("gil", domain, block)
    for domain, block in enumerate(grown):
        c.realloc("gil", domain, block, 60003)     # now it is one of ours
    assert len(blocks_of(60003)) == 3
    """)


def test_threads_that_python_never_saw_may_go_on_through_every_start_and_stop(program):
    program("""
    c.start_threads()
    start_and_stop_often(c)
    memwhy.start()
    c.stop_threads()
    c.free_shared()
    assert memwhy.get_lost() == (0, 0)
    # All that they allocated they freed: nothing without a stack is left.
    for trace in memwhy.take_snapshot().traces:
        assert trace.traceback[0].filename != "<unknown>", trace
    """)


@forks_with_threads
def test_a_fork_while_native_threads_allocate_gives_a_child_that_traces(program):
    program("""
    import os, warnings
    warnings.simplefilter("ignore")     # that a process with threads forks
    memwhy.start()
    c.start_threads()
    for i in range(100):
        child = os.fork()
        if not child:
            kept = bytes(70001 + i)
            ok = len(blocks_of(70001 + i + sys.getsizeof(b""))) == 1
            os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
    c.stop_threads()
    """)


def test_the_process_may_end_while_native_threads_allocate(program):
    program("""
    memwhy.start()
    c.start_threads()
    """)
