# SPDX-License-Identifier: MIT
"""What other threads and tools do between two steps of ours."""
import sys

import pytest
from processes import run


def test_tracing_may_be_stopped_while_a_snapshot_asks_for_thread_names():
    run("""
        import threading, memwhy
        class Renamed(threading.Thread):
            @property
            def name(self):
                if is_armed: memwhy.stop()
                return self._name
            @name.setter
            def name(self, name): self._name = name
        def body():
            kept.append(bytes(100))
            has_allocated.set()
            may_end.wait()
        is_armed, kept = False, []
        has_allocated, may_end = threading.Event(), threading.Event()
        memwhy.start()
        thread = Renamed(target=body)
        thread.start()
        has_allocated.wait()
        is_armed = True
        try:
            memwhy.take_snapshot()
        except RuntimeError as error:
            assert "must be tracing" in str(error)
        else:
            raise AssertionError("no error")
        finally:
            may_end.set()
            thread.join()
    """)


def test_an_error_of_a_thread_name_is_no_error_of_the_snapshot_but_ctrl_c_is():
    run("""
        import threading, memwhy
        class Renamed(threading.Thread):
            @property
            def name(self): raise error
            @name.setter
            def name(self, name): pass
        may_end = threading.Event()
        thread = Renamed(target=may_end.wait)
        error = ValueError("no name")
        memwhy.start()
        threading._active[1] = thread
        memwhy.take_snapshot()
        error = KeyboardInterrupt()
        try:
            memwhy.take_snapshot()
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("swallowed")
        del threading._active[1]
    """)


def test_snapshots_and_restarts_in_two_threads():
    run("""
        import sys, threading, time, memwhy
        sys.setswitchinterval(1e-6)
        end = time.monotonic() + 2
        def look():
            while time.monotonic() < end:
                try:
                    memwhy.take_snapshot()
                except RuntimeError:
                    pass
        memwhy.start()
        may_end = threading.Event()
        others = [threading.Thread(target=may_end.wait) for _ in range(20)]
        for thread in others: thread.start()
        looking = threading.Thread(target=look)
        looking.start()
        while time.monotonic() < end:
            memwhy.stop()
            memwhy.start()
            kept = [bytes(size) for size in range(40, 60)]
        looking.join()
        may_end.set()
        for thread in others: thread.join()
    """)


def test_marks_of_former_tracings_mean_nothing_however_many_there_were():
    """More restarts than marks have sessions, below a frame that keeps its mark."""
    run("""
        import memwhy
        def deep(n):
            return deep(n - 1) if n else memwhy.get_object_traceback(bytes(1000))
        def once(number):
            kept = [bytes(1000), [number]]
            memwhy.clear_traces() if number % 2 else (memwhy.stop(), memwhy.start())
            traceback = list(map(lambda n: deep(n), [number % 50]))[0]
            assert len(traceback) == number % 50 + 4, (number, len(traceback))
        memwhy.start()
        for number in range(1500):
            once(number)
        in_force, checks, mismatches = memwhy._memwhy._check_marks()
        assert in_force and checks and not mismatches
    """)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="PyRefTracer came with 3.13")
def test_tracemalloc_and_memwhy_may_chain_each_other():
    run("""
        import tracemalloc, memwhy
        for _ in range(3):
            memwhy.start(); tracemalloc.start(); memwhy.stop(); memwhy.start()
            kept = [[n] for n in range(1000)]
            tracemalloc.stop(); memwhy.stop()
            kept = [[n] for n in range(1000)]
    """)
