# SPDX-License-Identifier: MIT
"""What needs a process of its own: forks, ends, other allocators, other interpreters."""
import sys

import pytest

from processes import environment, python, run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

no_sanitizer = pytest.mark.no_sanitizer("freed memory stays with the sanitizer for a while")


# ── start and stop ───────────────────────────────────────────────────────────────────


@no_sanitizer
def test_thousands_of_starts_and_stops_leave_the_process_as_small_as_it_was():
    run("""
        import memwhy, resource, os

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()

        def cycle(times):
            for i in range(times):
                memwhy.start(1 + i % 50)
                kept = [[j, str(j)] for j in range(100)]
                if i % 10 == 0:
                    memwhy.take_snapshot().statistics("traceback")
                memwhy.stop()
                assert memwhy.get_traced_memory() == (0, 0)
                assert memwhy.get_overhead()["blocks"] == 0
            return resident()

        cycle(500)
        before = cycle(500)
        after = cycle(4000)
        assert after - before < 1 << 20, (before, after)
    """)


@no_sanitizer
def test_stop_gives_the_memory_back():
    run("""
        import memwhy, resource

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()

        before = resident()
        for _ in range(5):
            memwhy.start()
            kept = [bytes(40) for _ in range(500_000)]
            del kept
            memwhy.stop()
        assert sum(memwhy.get_overhead().values()) < 1 << 16, memwhy.get_overhead()
    """)


def test_start_twice_and_stop_twice_do_no_harm():
    run("""
        import memwhy
        memwhy.stop()
        memwhy.start(3)
        memwhy.start(7)
        assert memwhy.get_traceback_limit() == 3
        memwhy.stop()
        memwhy.stop()
        assert not memwhy.is_tracing()
        memwhy.clear_traces(); memwhy.reset_peak()
        assert memwhy.get_traced_memory() == (0, 0)
        try:
            memwhy.take_snapshot()
        except RuntimeError as error:
            assert "must be tracing" in str(error)
        else:
            raise SystemExit("no error")
    """)


def test_a_snapshot_outlives_the_tracing():
    run("""
        import memwhy
        memwhy.start()
        exec("kept = bytes(70001)", namespace := {})
        snapshot = memwhy.take_snapshot()
        memwhy.stop()
        memwhy.start()
        [trace] = [t for t in snapshot.traces if t.size > 70000]
        assert trace.traceback[-1].filename == "<string>"
        assert snapshot.statistics("lineno")[0].size > 70000
    """)


# ── the end ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ["pass", "raise SystemExit(0)", "os._exit(0)", "memwhy.stop()",
                                 "gc.freeze()", "del sys.modules['memwhy'], memwhy"])
def test_the_process_may_end_while_tracing(end):
    run(f"""
        import gc, os, sys
        import memwhy
        memwhy.start()
        class Late:
            def __del__(self):
                self.more = [bytes(100) for _ in range(1000)]
        kept = Late(); cycle = [Late()]; cycle.append(cycle)
        sys.kept = [Late(), [i for i in range(10000)]]
        {end}
    """)


def test_the_process_may_end_with_daemon_threads_that_allocate():
    run("""
        import threading, time, zlib
        import memwhy
        memwhy.start()
        data = bytes(range(256)) * 1000
        def churn():
            while True:
                kept = [[i] for i in range(100)]
                zlib.compress(data)
        for _ in range(4):
            threading.Thread(target=churn, daemon=True).start()
        time.sleep(0.2)
    """)


def test_an_exit_handler_may_look_and_stop():
    printed = run("""
        import atexit, memwhy
        memwhy.start()
        kept = bytes(70001)
        @atexit.register
        def at_end():
            print(memwhy.take_snapshot().statistics("lineno")[0].size > 70000)
            memwhy.stop()
    """)
    assert printed == "True\n"


# ── fork ─────────────────────────────────────────────────────────────────────────────


def test_a_forked_child_goes_on_with_a_copy_and_the_parent_is_untouched():
    run("""
        import os, memwhy
        def big():
            return sorted(t.size for t in memwhy.take_snapshot().traces if t.size > 60000)
        memwhy.start()
        kept = bytes(70001)
        before = memwhy.get_traced_memory()[0]
        child = os.fork()
        if not child:
            ok = memwhy.is_tracing() and len(big()) == 1
            more = bytes(80001)
            ok = ok and len(big()) == 2
            kept = None
            ok = ok and len(big()) == 1
            memwhy.stop()
            memwhy.start()
            again = bytes(90001)
            ok = ok and len(big()) == 1
            os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert len(big()) == 1
        assert abs(memwhy.get_traced_memory()[0] - before) < 20000
    """)


@pytest.mark.no_sanitizer("a forked child may hang in the sanitizer's own allocator")
def test_forks_while_threads_run_do_not_hang():
    run("""
        import os, sys, threading, warnings, zlib
        import memwhy
        warnings.simplefilter("ignore")
        memwhy.start()
        data, over = bytes(range(256)) * 400, False
        def churn():
            while not over:
                zlib.compress(data)
                [[i] for i in range(100)]
        threads = [threading.Thread(target=churn) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(60):
            child = os.fork()
            if not child:
                zlib.compress(data)
                kept = bytes(70001)
                sizes = [t.size for t in memwhy.take_snapshot().traces]
                os._exit(0 if sys.getsizeof(kept) in sizes else 1)
            assert os.waitpid(child, 0)[1] == 0
        over = True
        for thread in threads:
            thread.join()
    """)


def test_multiprocessing_and_subprocess_work_while_tracing():
    printed = run("""
        import subprocess, sys, multiprocessing
        import memwhy
        memwhy.start()
        print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True).stdout)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(abs, range(-3, 3)))
    """, options=["-W", "ignore"])
    assert printed == "b'42\\n'\n[3, 2, 1, 0, 1, 2]\n"


# ── other allocators ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("allocator", ["malloc", "malloc_debug", "pymalloc", "pymalloc_debug",
                                       "debug"])
def test_every_allocator_of_python_can_be_traced(allocator):
    run("""
        import json, threading, zlib
        import memwhy
        memwhy.start()
        kept = [bytes(size) for size in range(0, 3000, 7)]
        kept.append(json.loads(json.dumps([{"a": i} for i in range(100)])))
        threads = [threading.Thread(target=lambda: kept.append(zlib.compress(bytes(9999))))
                   for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        traced = memwhy.get_traced_memory()[0]
        snapshot = memwhy.take_snapshot()
        assert abs(sum(t.size for t in snapshot.traces) - traced) < 20000
        assert traced > sum(map(len, kept[:429]))
        for thing in kept[2:429]:
            assert memwhy.get_object_traceback(thing)[-1].lineno == 5
        del thing
        kept.clear()
        assert memwhy.get_traced_memory()[0] < traced / 4
        assert memwhy.get_lost() == (0, 0)
        memwhy.stop()
        memwhy.start()
    """, env=environment(PYTHONMALLOC=allocator))


def test_memwhy_and_tracemalloc_may_trace_at_once_in_either_order():
    run("""
        import itertools, tracemalloc
        import memwhy
        for first, second in itertools.permutations([memwhy, tracemalloc]):
            for stops in itertools.permutations([memwhy, tracemalloc]):
                first.start(); second.start()
                kept = bytes(70001)
                for tracer in (memwhy, tracemalloc):
                    assert tracer.take_snapshot().statistics("lineno")[0].size > 70000
                del kept
                for tracer in stops:
                    tracer.stop()
                kept = [bytes(1000) for _ in range(1000)]
                del kept
        memwhy.start()
        kept = bytes(70001)
        assert memwhy.take_snapshot().statistics("lineno")[0].size > 70000
    """)


# ── depth ────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the C stack bounds recursion before 3.12")
def test_stacks_of_fifty_thousand_frames_are_whole():
    run("""
        import sys
        import memwhy
        sys.setrecursionlimit(60_000)
        def descend(n):
            here = bytes(100)
            return [here, descend(n - 1)] if n else [here, bytes(70001)]
        memwhy.start()
        deep = descend(50_000)
        assert memwhy.take_snapshot().statistics("lineno")[0].count > 50_000
        while deep:         # or it would be freed by a recursion in C
            last = deep[1]
            deep = deep[1] if isinstance(deep[1], list) else None
        traceback = memwhy.get_object_traceback(last)
        assert len(traceback) == 50_002, len(traceback)
        assert [frame.lineno for frame in traceback] == [9] + [7] * 50_001
        assert memwhy.get_lost() == (0, 0)
    """)


def test_deep_recursion_ends_in_the_same_error_as_untraced():
    source = """
        import sys
        def descend(n):
            depth[0] = n
            return [n, descend(n + 1)]
        if sys.argv[1:]:
            import memwhy
            memwhy.start()
        depth = [0]
        try:
            descend(0)
        except RecursionError as error:
            print(depth, error)
    """
    assert run(source) == run(source, "traced")


# ── sub-interpreters ─────────────────────────────────────────────────────────────────

SUB_INTERPRETERS = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    KINDS = ["legacy", "isolated"]
    def create(kind):
        return interpreters.create(kind)
else:
    import _xxsubinterpreters as interpreters
    KINDS = [False, True] if sys.version_info >= (3, 12) else [False]
    def create(isolated):
        return interpreters.create(isolated=isolated)
import memwhy
WORK = "kept = [bytes(i) for i in range(2000)]; d = {i: [i] for i in range(1000)}"
"""
has_sub_interpreters = pytest.mark.skipif(
    python("-c", SUB_INTERPRETERS).returncode != 0, reason="no module for sub-interpreters")


@has_sub_interpreters
def test_sub_interpreters_may_come_and_go_while_tracing():
    """Those with a GIL of their own (3.12 and later) allocate while we hold ours."""
    run(SUB_INTERPRETERS + """
import threading
memwhy.start()
for kind in KINDS:
    for _ in range(5):
        number = create(kind)
        interpreters.run_string(number, WORK)
        memwhy.take_snapshot().statistics("lineno")
        interpreters.destroy(number)
    threads = []
    for _ in range(4):
        def body(kind=kind):
            number = create(kind)
            interpreters.run_string(number, WORK * 1)
            interpreters.destroy(number)
        threads.append(threading.Thread(target=body))
        threads[-1].start()
    for i in range(2000):
        kept = [[i], str(i)]
    for thread in threads:
        thread.join()
assert memwhy.get_lost() == (0, 0)
memwhy.stop()
memwhy.start()
""")


@has_sub_interpreters
def test_an_interpreter_may_live_through_stops_and_starts():
    run(SUB_INTERPRETERS + """
for kind in KINDS:
    number = create(kind)
    for i in range(20):
        memwhy.start()
        interpreters.run_string(number, WORK)
        memwhy.stop()
        interpreters.run_string(number, WORK)
    memwhy.start()
    interpreters.destroy(number)
""")
