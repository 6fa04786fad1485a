# SPDX-License-Identifier: MIT
"""Sampling: memwhy.start(sample=N), alone and beneath exact tracing.

With a sample per byte every block of more than a few dozen bytes is hit, and its weight is
1: what is kept of blocks can then be compared exactly.
"""
import copy
import os
import pickle
import re
import sys

import pytest

import memwhy
import memwhy.tracemalloc as drop_in
from memwhy import _memwhy
from processes import PROGRAMS, environment, python, run

EVERY_BLOCK = 1
own_processes = pytest.mark.no_leak_check("runs in processes of its own")
pytestmark = pytest.mark.usefixtures("unsampled")


@pytest.fixture
def unsampled():
    """Nothing is on before and after."""
    _memwhy.stop()
    _memwhy._stop_sampling()
    yield
    _memwhy.stop()
    _memwhy._stop_sampling()


def here():
    return sys._getframe(1).f_lineno


def blocks_of(size, sampled=None):
    return [trace for trace in memwhy.take_snapshot(sampled=sampled).traces if trace.size == size]


HEADER = sys.getsizeof(b"")


def make(size):
    return bytes(size - HEADER)


# ── the truth ────────────────────────────────────────────────────────────────────────


@own_processes
def test_estimates_are_right_on_average_and_their_intervals_cover_the_truth():
    """`python tests/programs/sampling_truth.py --runs 1000` is the long form."""
    done = python(PROGRAMS / "sampling_truth.py", "--runs", 150, "--seed", 7, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 wrong" in done.stdout


@own_processes
@pytest.mark.parametrize("order", ["sampled first", "exact first"])
def test_samples_of_a_real_program_agree_with_exact_tracing_of_the_same(order):
    run("""
        import ast, json, sys, memwhy
        from memwhy import _memwhy

        def work():
            trees = [ast.parse(open(ast.__file__).read()) for _ in range(2)]
            texts = [json.loads(json.dumps(list(range(20000)))) for _ in range(3)]
            return trees, texts, {i: str(i) for i in range(20000)}

        def session(seed):
            begin = [memwhy.start, lambda: _memwhy._start_sampling(4096, 65535, seed)]
            for start in begin if sys.argv[1] == "exact first" else reversed(begin):
                start()
            kept = work()
            exact = memwhy.take_snapshot(sampled=False)
            samples = memwhy.take_snapshot(sampled=True)
            assert exact.sampling is None and samples.sampling == 4096
            memwhy.stop(); memwhy.stop()
            return exact.statistics("lineno"), samples.statistics("lineno")

        listed = covered = total = estimated = 0
        for seed in range(1, 7):
            exact, samples = session(seed)
            truth = {one.traceback: one.size for one in exact}
            total += sum(truth.values())
            estimated += sum(one.size for one in samples)
            for one in samples:
                low, high = one.size_interval
                listed += 1
                covered += low <= truth.get(one.traceback, 0) <= high
        # Since 3.13 exact tracing gives what comes from free lists its new line.
        assert listed >= 18 and covered >= 0.7 * listed, (listed, covered)
        assert abs(estimated - total) < 0.03 * total, (estimated, total)
    """, order)


# ── blocks, one by one ───────────────────────────────────────────────────────────────


def test_a_sampled_block_is_known_from_its_birth_to_its_end():
    memwhy.start(sample=EVERY_BLOCK)
    kept = bytes(70001 - HEADER); line = here()  # noqa: E702
    [trace] = blocks_of(70001)
    assert trace.traceback[-1].filename == __file__ and trace.traceback[-1].lineno == line
    assert trace.traceback[-1].function == \
        "test_a_sampled_block_is_known_from_its_birth_to_its_end"
    del kept
    assert not blocks_of(70001)
    assert _memwhy._check_samples()[0]


def test_each_domain_counts_a_block_once_wherever_it_comes_from(raw_calls):
    run("""
        import memwhy, raw_calls as c
        from memwhy import _memwhy

        def sizes(*wanted):
            return sorted(t.size for t in memwhy.take_snapshot().traces if t.size in wanted)

        memwhy.start(sample=1)
        for where in ("gil", "nogil", "native"):
            for domain in (c.RAW, c.MEM, c.OBJ):
                if where != "gil" and domain != c.RAW:
                    continue
                for small, large in ((301, 507), (70001, 90003), (303, 90005), (90007, 305)):
                    block = c.malloc(where, domain, small)
                    assert sizes(small) == [small], (where, domain, small)
                    block = c.realloc(where, domain, block, large)
                    assert sizes(small, large) == [large], (where, domain, small, large)
                    c.free(where, domain, block)
                    other = c.calloc(where, domain, large)
                    assert sizes(large) == [large], (where, domain, large)
                    c.free(where, domain, other)
                    assert sizes(small, large) == []
        assert _memwhy._check_samples()[0]
    """, env=environment(PYTHONPATH=os.pathsep.join(
        filter(None, [str(raw_calls), os.environ.get("PYTHONPATH")]))))


def test_blocks_without_bytes_are_counted_as_rarely_as_those_of_sixteen():
    memwhy.start(sample=10_000)
    kept = [object() for _ in range(1000)]
    memwhy.stop()
    _memwhy._start_sampling(20, 65535, 3)
    kept = [memwhy.Statistic.__new__(memwhy.Statistic) for _ in range(1000)]
    [row] = [one for one in memwhy.take_snapshot().statistics("lineno")
             if one.traceback[0].lineno == here() - 2]
    assert row.count_interval[0] <= 1000 <= row.count_interval[1]
    assert len(kept) == 1000 and _memwhy._check_samples()[0]


def test_a_block_that_is_surely_hit_stands_for_itself():
    memwhy.start(sample=4096)
    kept = bytes(1_000_000 - HEADER); line = here()  # noqa: E702
    snapshot = memwhy.take_snapshot()
    [row] = [one for one in snapshot.statistics("lineno") if one.traceback[0].lineno == line]
    assert row.size >= 1_000_000 and row.size_interval[0] >= 1_000_000
    [trace] = [trace for trace in snapshot.traces if trace.size == 1_000_000]
    assert snapshot.weight(trace) == 1.0
    del kept


def test_a_realloc_that_fails_leaves_the_sample_as_it_was():
    memwhy.start(sample=EVERY_BLOCK)
    kept = bytearray(70_000)
    before = [trace.size for trace in memwhy.take_snapshot().traces if trace.size > 60_000]
    with pytest.raises(MemoryError):
        kept.__imul__(1 << 46)
    after = [trace.size for trace in memwhy.take_snapshot().traces if trace.size > 60_000]
    assert before == after and _memwhy._check_samples()[0]


def test_a_block_that_grows_is_one_block_of_its_last_size():
    memwhy.start(sample=EVERY_BLOCK)
    kept = bytearray()
    piece = bytes(1000)
    for _ in range(200):
        kept.extend(piece); line = here()  # noqa: E702
    snapshot = memwhy.take_snapshot()
    [row] = [one for one in snapshot.statistics("lineno") if one.traceback[0].lineno == line]
    assert (row.size, row.count) == (kept.__alloc__(), 1)
    [all_of_it] = [one for one in snapshot.allocated("lineno")
                   if one.traceback[0].lineno == line]
    assert all_of_it.size > 5 * row.size and all_of_it.count > 20


def test_free_blocks_leave_nothing_in_the_filter():
    memwhy.start(sample=EVERY_BLOCK)
    for _ in range(100):
        kept = [make(100 + i) for i in range(200)]
        del kept
    is_consistent, samples, bits = _memwhy._check_samples()
    assert is_consistent and bits <= samples < 2000


# ── statistics ───────────────────────────────────────────────────────────────────────


def sample_snapshot():
    _memwhy._start_sampling(2048, 65535, 11)
    kept = [bytes(100 - HEADER) for _ in range(4000)]; line = here()  # noqa: E702
    large = [make(50_000) for _ in range(4)]
    snapshot = memwhy.take_snapshot()
    del kept, large
    return snapshot, line


def row_at(rows, line):
    [row] = [one for one in rows if one.traceback[0].lineno == line
             and one.traceback[0].filename == __file__]
    return row


def test_statistics_are_estimates_with_their_limits():
    snapshot, line = sample_snapshot()
    row = row_at(snapshot.statistics("lineno"), line)
    low, high = row.size_interval
    assert low < row.size < high and row.size_error == max(high - row.size, row.size - low)
    low, high = row.count_interval
    assert low < row.count < high and row.count_error == max(high - row.count, row.count - low)
    assert re.fullmatch(r".*:\d+: size=[\d.]+ KiB ± [\d.]+ KiB \(sampled\), count=\d+, "
                        r"average=\d+ B", str(row))
    assert repr(row).startswith("<Statistic traceback=<Traceback")
    for key in ("filename", "traceback", "function", "module", "thread", "domain"):
        assert all(one.size_interval is not None for one in snapshot.statistics(key))


def test_exact_statistics_have_no_limits_and_the_text_that_they_had():
    memwhy.start()
    kept = bytes(1000 - HEADER); line = here()  # noqa: E702
    snapshot = memwhy.take_snapshot()
    row = row_at(snapshot.statistics("lineno"), line)
    assert (row.size_interval, row.count_interval) == (None, None)
    assert (row.size_error, row.count_error) == (0, 0)
    assert str(row) == f"{__file__}:{line}: size=1000 B, count=1, average=1000 B"
    assert snapshot.sampling is None and snapshot.weight(snapshot.traces[0]) == 1.0
    with pytest.raises(ValueError, match="not a sampled one"):
        snapshot.allocated("lineno")
    del kept


def test_differences_know_their_limits():
    before, line = sample_snapshot()
    after = memwhy.take_snapshot()
    row = row_at(after.compare_to(before, "lineno"), line)
    assert row.size == 0 and row.size_diff < 0
    assert row.size_diff_interval[0] < row.size_diff < row.size_diff_interval[1]
    assert row.size_diff_error > 0 and row.count_diff_error > 0
    assert " KiB, sampled), count=0 (-" in str(row)


def test_an_exact_snapshot_can_be_compared_with_a_sampled_one():
    sampled, line = sample_snapshot()
    memwhy.start()
    exact = memwhy.take_snapshot()
    row = row_at(exact.compare_to(sampled, "lineno"), line)
    assert row.size_interval == (0, 0) and row.size_error == 0
    assert row.size_diff_interval[0] < row.size_diff < row.size_diff_interval[1]
    row = row_at(sampled.compare_to(exact, "lineno"), line)
    assert row.size_error == row.size_diff_error > 0


def test_cumulative_statistics_know_that_a_block_may_count_twice():
    def recurse(depth):
        return recurse(depth - 1) if depth else bytes(100 - HEADER)

    _memwhy._start_sampling(1024, 65535, 4)
    kept = [recurse(3) for _ in range(300)]
    snapshot = memwhy.take_snapshot()
    rows = snapshot.statistics("lineno", cumulative=True)
    line = recurse.__code__.co_firstlineno + 1
    row = row_at(rows, line)
    # Four frames on that line: four times the bytes, with four times the error.
    assert row.size_interval[0] <= 4 * 300 * 100 <= row.size_interval[1]
    single = row_at(snapshot.statistics("lineno"), line)
    assert row.size == pytest.approx(4 * single.size, rel=0.001)
    assert row.size_error == pytest.approx(4 * single.size_error, rel=0.1)
    del kept


def test_filters_leave_estimates_estimates():
    snapshot, line = sample_snapshot()
    filtered = snapshot.filter_traces([memwhy.Filter(True, __file__, line)])
    assert filtered.sampling == snapshot.sampling
    [row] = filtered.statistics("lineno")
    assert row == row_at(snapshot.statistics("lineno"), line)
    assert row.size_interval == row_at(snapshot.statistics("lineno"), line).size_interval
    assert filtered.allocated("lineno") == [row_at(snapshot.allocated("lineno"), line)]
    assert snapshot.filter_traces([]).sampling == snapshot.sampling


def test_copies_pickles_and_files_keep_what_is_estimated(tmp_path):
    snapshot, line = sample_snapshot()
    snapshot.dump(tmp_path / "samples")
    loaded = memwhy.Snapshot.load(tmp_path / "samples")
    assert loaded.sampling == snapshot.sampling
    for ask in ("statistics", "allocated"):
        ours, theirs = getattr(snapshot, ask)("traceback"), getattr(loaded, ask)("traceback")
        assert ours == theirs
        assert [one.size_interval for one in ours] == [one.size_interval for one in theirs]
    for row in (row_at(snapshot.statistics("lineno"), line),
                row_at(snapshot.compare_to(snapshot, "lineno"), line)):
        for other in (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
            assert other == row and str(other) == str(row)
            assert other.count_interval == row.count_interval


DAMAGED_SAMPLES = {
    "sample_bytes text": (8, "4096", "missing"),
    "sample_bytes 0": (8, 0, "out of range"),
    "sample_bytes large": (8, 2**80, "out of range"),
    "samples too heavy": (8, 2**40, "more than there can be"),
    "allocated cut": (9, bytes(63), "within a row"),
    "allocated text": (9, "x", "not of bytes"),
    "allocated of nobody": (9, bytes(64), "site that is not there"),
    "allocated not a number": (9, b"\1" + bytes(7) + b"\xff" * 56, "out of range"),
}


@pytest.mark.parametrize("place, part, reason", DAMAGED_SAMPLES.values(),
                         ids=DAMAGED_SAMPLES.keys())
def test_damaged_samples_are_refused_with_their_reason(place, part, reason):
    _memwhy._start_sampling(64, 65535, 1)
    kept = [make(100_000) for _ in range(1000)]
    state = memwhy.take_snapshot().traces.__reduce__()[2]
    del kept
    compact = list(state["_compact"])
    assert compact[0] == 2 and len(compact) == 10
    compact[place] = part
    with pytest.raises(ValueError, match=reason):
        memwhy.tracemalloc._Traces.__new__(memwhy.tracemalloc._Traces).__setstate__(
            {"_compact": tuple(compact)})


# ── with exact tracing ───────────────────────────────────────────────────────────────


def test_exact_tracing_for_a_while_loses_no_sample():
    memwhy.start(sample=EVERY_BLOCK)
    before = make(50_001)
    freed_meanwhile = make(50_002)
    with memwhy.exact():
        during = make(50_003)
        del freed_meanwhile
        assert len(blocks_of(50_003)) == 1 and not blocks_of(50_001)
        assert len(blocks_of(50_001, sampled=True)) == len(blocks_of(50_003, sampled=True)) == 1
        assert memwhy.take_snapshot().statistics("lineno")[0].size_interval is None
    after = make(50_004)
    assert [len(blocks_of(50_000 + i)) for i in (1, 2, 3, 4)] == [1, 0, 1, 1]
    assert memwhy.take_snapshot().sampling == EVERY_BLOCK
    del before, during, after
    assert not any(blocks_of(50_000 + i) for i in (1, 3, 4)) and _memwhy._check_samples()[0]


def test_exact_may_be_entered_again_with_the_same_object():
    run("""
        import memwhy

        exactly = memwhy.exact()
        with exactly:
            with exactly:
                pass
            assert memwhy.is_tracing()
        assert not memwhy.is_tracing()
    """)


def test_stop_ends_exact_tracing_first_and_sampling_then():
    memwhy.start(sample=4096)
    memwhy.start(7)
    memwhy.start(sample=1)  # it samples already
    assert memwhy.is_tracing() and memwhy.get_sampling() == 4096
    memwhy.stop()
    assert memwhy.is_tracing() and memwhy.get_sampling() == 4096
    memwhy.stop()
    assert not memwhy.is_tracing() and memwhy.get_sampling() is None
    assert memwhy.get_traced_memory() == (0, 0)
    for wanted in (True, False, None):
        with pytest.raises(RuntimeError):
            memwhy.take_snapshot(sampled=wanted)
    memwhy.stop()


def test_sampling_may_begin_beneath_exact_tracing_that_is_on():
    memwhy.start()
    memwhy.start(sample=EVERY_BLOCK)
    kept = make(60_001)
    assert len(blocks_of(60_001)) == len(blocks_of(60_001, sampled=True)) == 1
    memwhy.stop()
    assert len(blocks_of(60_001)) == 1 and memwhy.take_snapshot().sampling == EVERY_BLOCK
    del kept
    assert not blocks_of(60_001)


def test_clear_traces_clears_what_snapshots_are_taken_of():
    memwhy.start(sample=EVERY_BLOCK)
    kept = make(60_003)
    memwhy.start()
    memwhy.clear_traces()
    assert len(blocks_of(60_003, sampled=True)) == 1
    memwhy.stop()
    memwhy.clear_traces()
    assert not blocks_of(60_003) and memwhy.get_sampling() == EVERY_BLOCK
    also = make(60_005)
    assert len(blocks_of(60_005)) == 1
    del kept, also


def test_totals_are_those_of_exact_tracing_or_else_estimates():
    memwhy.start(sample=EVERY_BLOCK)
    kept = [make(100_000) for _ in range(10)]
    current, peak = memwhy.get_traced_memory()
    assert 1_000_000 < current <= peak
    del kept
    assert memwhy.get_traced_memory()[0] < current - 900_000
    assert peak <= memwhy.get_traced_memory()[1] < peak + 10_000
    memwhy.reset_peak()
    assert memwhy.get_traced_memory()[1] < peak - 900_000
    assert memwhy.get_lost() == (0, 0)
    memwhy.start()
    assert memwhy.get_traced_memory()[0] < 100_000
    assert memwhy.get_overhead()["samples"] > 0
    # Looking takes a few samples more.
    total = drop_in.get_tracemalloc_memory()
    assert sum(memwhy.get_overhead().values()) == pytest.approx(total, rel=0.1)


def test_the_drop_in_never_samples():
    memwhy.start(sample=EVERY_BLOCK)
    kept = make(60_007)
    assert not drop_in.is_tracing() and drop_in.get_traced_memory() == (0, 0)
    with pytest.raises(RuntimeError):
        drop_in.take_snapshot()
    drop_in.stop()
    assert memwhy.is_tracing()
    drop_in.start()
    assert drop_in.take_snapshot().statistics("lineno")[0].size_interval is None
    drop_in.stop()
    assert len(blocks_of(60_007)) == 1
    del kept


@pytest.mark.parametrize("sample", [0, -1, 2**41, 2**70])
def test_numbers_out_of_range_are_refused(sample):
    with pytest.raises(ValueError, match="sample"):
        memwhy.start(sample=sample)
    with pytest.raises(ValueError):
        memwhy.start(0, sample=4096)
    assert not memwhy.is_tracing()


def test_start_time_filters_hold_for_samples_too():
    memwhy.start(sample=1, filters=[memwhy.Filter(False, __file__)])
    try:
        unwanted = bytes(300_017)
        assert not blocks_of(300_017 + HEADER)
        memwhy.clear_traces()
        more = bytes(300_017)
        assert not blocks_of(300_017 + HEADER)
    finally:
        memwhy.stop()
    memwhy.start(sample=1)
    try:
        wanted = bytes(300_017)
        assert blocks_of(300_017 + HEADER)
    finally:
        memwhy.stop()
    del unwanted, more, wanted


def test_a_bound_holds_for_samples_too():
    memwhy.start(sample="16", max_overhead="4M")
    try:
        kept = [[number] for number in range(300_000)]
        blocks, size = memwhy.get_lost()
        assert blocks > 100_000 and size > blocks
    finally:
        memwhy.stop()
    del kept


@own_processes
def test_starts_and_stops_in_any_order_beside_the_standard_tracer():
    run("""
        import random, memwhy, tracemalloc, warnings
        from memwhy import _memwhy
        warnings.simplefilter("ignore", RuntimeWarning)    # that hooks were taken out
        kept = []
        for seed in range(150):
            rng = random.Random(seed)
            for step in range(12):
                rng.choice([memwhy.start, memwhy.stop, memwhy.stop, tracemalloc.start,
                            tracemalloc.stop, lambda: memwhy.start(sample=200),
                            memwhy.clear_traces, memwhy.is_tracing,
                            _memwhy._stop_sampling])()
                kept.append([str(i) * 50 for i in range(20)])
                if rng.random() < 0.3:
                    del kept[: len(kept) // 2]
                if memwhy.is_tracing():
                    memwhy.take_snapshot().statistics("lineno")
            assert _memwhy._check_samples()[0]
        memwhy.stop(); memwhy.stop(); tracemalloc.stop()
        memwhy.start(sample=1)
        block = bytes(70001)
        assert [t for t in memwhy.take_snapshot().traces if 70001 < t.size < 70100]
    """)


@own_processes
@pytest.mark.parametrize("start", ["memwhy.start()", "memwhy.start(sample=1)"])
def test_hooks_that_the_standard_tracer_takes_out_are_put_back_and_it_is_said(start):
    out = run(f"""
        import sys, tracemalloc, warnings
        import memwhy
        tracemalloc.start()
        {start}
        before = bytes(70001)
        tracemalloc.stop()
        meanwhile = bytes(70002)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            snapshot = memwhy.take_snapshot()
            after = bytes(70003)
            numbers = [1.5 * i for i in range(1000)]
            snapshot = memwhy.take_snapshot()
        assert len(said) <= 1, said
        sizes = {{t.size for t in snapshot.traces}}
        assert sys.getsizeof(before) in sizes and sys.getsizeof(after) in sizes
        # Before 3.13 exact tracing hears of the stop itself, and misses nothing.
        assert (sys.getsizeof(meanwhile) in sizes) == (not said)
        print(*[w.category.__name__ for w in said])
        """)
    hears = sys.version_info < (3, 13) and "sample" not in start
    assert out == ("\n" if hears else "RuntimeWarning\n")


@own_processes
def test_exact_tracing_on_top_of_sampling_misses_nothing():
    """Each as if the other were not there, block by block."""
    run("""
        import sys, memwhy
        memwhy.start(sample=4096)
        memwhy.start()
        kept = [bytes(1000 + i) for i in range(500)]
        sizes = {sys.getsizeof(one) for one in kept}
        found = [t.size for t in memwhy.take_snapshot().traces if t.size in sizes]
        assert len(found) == 500, len(found)
        del kept
        assert not [t.size for t in memwhy.take_snapshot().traces if t.size in sizes]
    """)


# ── threads, forks, ends ─────────────────────────────────────────────────────────────


@own_processes
def test_all_threads_are_sampled_with_numbers_of_their_own():
    run("""
        import threading, memwhy
        from memwhy import _memwhy

        def body(kept):
            for i in range(3000):
                kept.append(bytes(200))

        _memwhy._start_sampling(4096, 65535, 3)
        holders = [[] for _ in range(8)]
        threads = [threading.Thread(target=body, args=(kept,)) for kept in holders]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        [row] = [one for one in memwhy.take_snapshot().statistics("lineno")
                 if one.traceback[0].lineno == 7]
        truth = 8 * 3000 * 233 + sum(kept.__sizeof__() for kept in holders)
        assert row.size_interval[0] <= truth <= row.size_interval[1], (row.size_interval, truth)
        assert _memwhy._check_samples()[0]
    """)


@own_processes
def test_a_forked_child_goes_on_sampling_with_other_numbers():
    run("""
        import os, memwhy
        from memwhy import _memwhy
        _memwhy._start_sampling(4096, 65535, 3)
        kept = [bytes(70001)]
        answers = []
        for _ in range(4):
            read, write = os.pipe()
            if os.fork() == 0:
                assert [t for t in memwhy.take_snapshot().traces if 70001 < t.size < 70100]
                more = [bytes(500) for _ in range(500)]
                snapshot = memwhy.take_snapshot()
                assert _memwhy._check_samples()[0]
                os.write(write, b"%d" % sum(t.size == 533 for t in snapshot.traces))
                os._exit(0)
            os.close(write)
            answers.append(int(os.read(read, 100)))
            assert os.wait()[1] == 0
        # About 65 of the 500 blocks are hit, but not as many in each child.
        assert all(20 < answer < 130 for answer in answers), answers
        assert len(set(answers)) > 1, answers
    """)


@own_processes
def test_forks_while_threads_allocate_do_not_hang():
    run("""
        import os, threading, memwhy
        memwhy.start(sample=100)
        stop = False

        def body():
            while not stop:
                [bytes(1000) for _ in range(50)]

        threads = [threading.Thread(target=body) for _ in range(3)]
        for thread in threads: thread.start()
        for _ in range(30):
            pid = os.fork()
            if pid == 0:
                kept = [bytes(1000) for _ in range(50)]
                memwhy.take_snapshot()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        stop = True
        for thread in threads: thread.join()
    """, options=("-W", "ignore"))  # of forks in a process with threads


@own_processes
def test_an_interpreter_may_end_while_sampled_threads_run():
    done = python("-c", """
import threading, memwhy, zlib
memwhy.start(sample=50)

def body():
    while True:
        zlib.decompress(zlib.compress(bytes(3000)))

for _ in range(4):
    threading.Thread(target=body, daemon=True).start()
[bytes(100) for _ in range(10000)]
""")
    assert (done.returncode, done.stderr) == (0, "")


@own_processes
def test_sub_interpreters_are_sampled_too():
    run("""
        import memwhy
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        memwhy.start(sample=1)
        one = interpreters.create()
        interpreters.run_string(one, "kept = bytes(70001)")
        assert [t for t in memwhy.take_snapshot().traces if 70001 < t.size < 70100]
        interpreters.destroy(one)
        assert not [t for t in memwhy.take_snapshot().traces if 70001 < t.size < 70100]
    """)


@own_processes
@pytest.mark.parametrize("allocator", ["malloc", "debug", "pymalloc_debug"])
def test_other_allocators_are_sampled_too(allocator):
    run("""
        import memwhy
        memwhy.start(sample=1)
        kept = [bytes(300), bytes(70001)]
        sizes = [t.size for t in memwhy.take_snapshot().traces]
        assert sizes.count(333) == 1 and sizes.count(70034) == 1, sizes
        del kept
        sizes = [t.size for t in memwhy.take_snapshot().traces]
        assert 333 not in sizes and 70034 not in sizes
    """, env=environment(PYTHONMALLOC=allocator))


@own_processes
def test_thousands_of_sessions_leave_the_process_as_small_as_it_was():
    run("""
        import memwhy, resource

        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()

        def cycle(times):
            for i in range(times):
                memwhy.start(sample=1 + i % 50)
                kept = [[j, str(j)] for j in range(100)]
                if i % 10 == 0:
                    memwhy.take_snapshot().statistics("traceback")
                memwhy.stop()
            return resident()

        cycle(300)
        before = cycle(300)
        after = cycle(1500)
        assert after - before < 1 << 20, (before, after)
    """)
