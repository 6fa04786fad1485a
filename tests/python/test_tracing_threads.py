# SPDX-License-Identifier: MIT
"""What is recorded of threads that Python knows; for others see test_tracing_raw.py."""
import gc
import sys
import threading
import zlib

import pytest

import memwhy
from processes import run

pytestmark = pytest.mark.usefixtures("untraced")


def here():
    return sys._getframe(1).f_lineno


def start():
    """A collection empties the free lists, whose blocks are older than the start."""
    gc.collect()
    memwhy.start()


def place(thing):
    """(line, function) of each frame in this file, the most recent first."""
    traceback = memwhy.get_object_traceback(thing)
    return [(frame.lineno, frame.function) for frame in reversed(traceback)
            if frame.filename == __file__]


def line_of(thing):
    return place(thing)[0][0]


def test_every_thread_is_traced_with_its_own_stack():
    def body(number):
        kept[number] = [bytes(number + 1) for _ in range(2, 100)]
        barrier.wait(30)

    start()
    kept = {}
    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=body, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(kept) == 8
    for number, blocks in kept.items():
        for block in blocks if number else ():      # one byte is no block of its own
            assert line_of(block) == body.__code__.co_firstlineno + 1
            assert all("<locals>.body" in name for _, name in place(block))


def test_zlib_works_without_the_gil_in_many_threads():
    """It allocates in the RAW domain, some of it while others hold the GIL."""
    data = bytes(number % 251 for number in range(200_000))

    def body(_):
        for _ in range(10):
            results.append(zlib.decompress(zlib.compress(data)) == data)

    results = []
    start()
    threads = [threading.Thread(target=body, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [True] * 60
    packer, line = zlib.compressobj(), here()
    raw = [trace for trace in memwhy.take_snapshot().traces
           if trace.traceback[-1].filename == __file__ and trace.traceback[-1].lineno == line]
    assert sum(trace.size for trace in raw) > 100_000
    del packer
    alive = [trace for trace in memwhy.take_snapshot().traces if trace.traceback[-1].lineno == line]
    assert sum(trace.size for trace in alive) < 100_000


def test_asking_for_no_names_leaves_nothing_in_the_snapshot():
    """Where nobody has imported threading, there is nothing to ask.  What is taken from a
    free list counts as well."""
    run("""
        import sys
        import memwhy.tracemalloc as tracemalloc
        from memwhy import _memwhy
        assert "threading" not in sys.modules
        tracemalloc.start()
        kept = [[{}, []] for _ in range(200)]
        del kept
        snapshot = _memwhy.take_snapshot()
        line = sys._getframe().f_lineno - 1
        assert [t for t in snapshot.traces if t.traceback[0].lineno == line] == []
        assert [t for t in snapshot.traces if t.traceback[0].lineno == line - 2]
    """)
