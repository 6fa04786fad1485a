# SPDX-License-Identifier: MIT
"""memwhy.start() and its arguments; what comes in through MEMWHY is in
test_early_start.py, and the differential test of filters in test_differential.py."""
import gc
import inspect
import sys
import tracemalloc as standard

import pytest

import memwhy
import memwhy.tracemalloc as tracemalloc

pytestmark = pytest.mark.usefixtures("untraced")

HERE = __file__


def files_of(snapshot):
    return {trace.traceback[-1].filename for trace in snapshot.traces}


def made_elsewhere(source, name="elsewhere.py"):
    """What a module of another file name allocates."""
    namespace = {}
    exec(compile(source, name, "exec"), namespace)
    return namespace


ELSEWHERE = made_elsewhere("def make(n):\n    return bytes(n)\n"
                           "def call(function, *arguments):\n    return function(*arguments)\n")


# ── filters ──────────────────────────────────────────────────────────────────────────


def test_only_what_the_filters_admit_is_recorded():
    gc.collect()
    memwhy.start(filters=[memwhy.Filter(True, HERE)])
    kept = [bytes(1000), ELSEWHERE["make"](1000), bytes(100_000), ELSEWHERE["make"](100_000)]
    snapshot = memwhy.take_snapshot()
    assert files_of(snapshot) == {HERE}
    assert memwhy.get_object_traceback(kept[0]) is not None
    assert memwhy.get_object_traceback(kept[2]) is not None
    assert memwhy.get_object_traceback(kept[1]) is None
    assert memwhy.get_object_traceback(kept[3]) is None
    assert memwhy.get_lost() == (0, 0)


def test_traced_memory_counts_what_is_recorded():
    memwhy.start(filters=[memwhy.Filter(True, "elsewhere.py")])
    kept = [ELSEWHERE["make"](n) for n in (10, 1000, 100_000)]
    unwanted = [bytes(n) for n in (10, 1000, 100_000)]
    current, peak = memwhy.get_traced_memory()
    assert current == sum(map(sys.getsizeof, kept)) and peak >= current
    del kept[1:], unwanted
    assert memwhy.get_traced_memory() == (sys.getsizeof(kept[0]), peak)


def test_an_exclusive_filter_leaves_the_rest():
    memwhy.start(filters=(memwhy.Filter(False, "elsewhere.py"),))
    kept = [bytes(1000), ELSEWHERE["make"](1000)]
    assert memwhy.get_object_traceback(kept[0]) is not None
    assert memwhy.get_object_traceback(kept[1]) is None


def test_a_filter_can_look_at_all_frames():
    def mine():
        return bytes(1000)

    memwhy.start(filters=[memwhy.Filter(True, "elsewhere.py", all_frames=True)])
    through, direct = ELSEWHERE["call"](mine), mine()
    assert memwhy.get_object_traceback(through) is not None
    assert memwhy.get_object_traceback(direct) is None


def test_all_frames_are_those_that_the_limit_keeps():
    def deep(levels):
        return deep(levels - 1) if levels else bytes(1000)

    memwhy.start(5, filters=[memwhy.Filter(True, "elsewhere.py", all_frames=True)])
    near, far = ELSEWHERE["call"](deep, 3), ELSEWHERE["call"](deep, 4)
    assert memwhy.get_object_traceback(near) is not None
    assert memwhy.get_object_traceback(far) is None


def test_a_filter_can_name_a_line():
    line = inspect.currentframe().f_lineno + 2
    memwhy.start(filters=[memwhy.Filter(True, HERE, lineno=line)])
    first = bytes(1000)
    second = bytes(1000)
    assert memwhy.get_object_traceback(first) is not None
    assert memwhy.get_object_traceback(second) is None


@pytest.mark.parametrize("filters, is_recorded", [
    ([memwhy.DomainFilter(True, 0)], True),
    ([memwhy.DomainFilter(False, 0)], False),
    ([memwhy.DomainFilter(True, 77)], False),
    ([memwhy.DomainFilter(False, 77)], True),
    ([memwhy.Filter(True, "*", domain=77)], False),
    ([memwhy.Filter(False, "*", domain=77)], True),
    ([], True),
    (iter([memwhy.Filter(True, "*")]), True),
])
def test_filters_by_domain_and_none_at_all(filters, is_recorded):
    memwhy.start(filters=filters)
    kept = bytes(1000)
    assert (memwhy.get_object_traceback(kept) is not None) == is_recorded


def test_a_block_that_moves_to_an_unwanted_line_is_forgotten():
    grow = made_elsewhere("def grow(x, n):\n    x += b'x' * n\n", "grow.py")["grow"]
    memwhy.start(filters=[memwhy.Filter(False, "grow.py")])
    kept = bytearray(5000)
    before, _ = memwhy.get_traced_memory()
    assert before > 5000
    grow(kept, 50_000)
    after, _ = memwhy.get_traced_memory()
    assert after < before - 5000 + 500
    # Back at a wanted line, it is there again.
    kept += b"y" * 500_000
    assert memwhy.get_traced_memory()[0] > 500_000


def test_filters_outlive_a_clear_but_not_a_stop():
    memwhy.start(filters=[memwhy.Filter(True, "elsewhere.py")])
    memwhy.clear_traces()
    kept = [bytes(1000), ELSEWHERE["make"](1000)]
    assert files_of(memwhy.take_snapshot()) == {"elsewhere.py"}
    memwhy.stop()
    memwhy.start()
    kept = [bytes(1000)]
    assert HERE in files_of(memwhy.take_snapshot())
    del kept


def test_filters_are_what_they_were_at_the_start():
    one = memwhy.Filter(True, HERE)
    filters = [one]
    memwhy.start(filters=filters)
    filters.append(memwhy.Filter(False, "*"))
    one.inclusive = False
    del one
    kept = bytes(1000)
    assert memwhy.get_object_traceback(kept) is not None


def test_an_unwanted_program_takes_little_memory_of_ours():
    def overhead(**options):
        memwhy.start(**options)
        kept = [made_elsewhere("x = [bytes(n) for n in range(450)]\n" * 30, f"{n}.py")
                for n in range(3)]
        parts = memwhy.get_overhead()
        memwhy.stop()
        del kept
        return parts

    whole = overhead()
    filtered = overhead(filters=[memwhy.Filter(True, "nowhere.py")])
    # 16 bytes at least for each of 3 * 30 * 450 sites.
    assert filtered["sites"] < whole["sites"] - 600_000


class Odd(memwhy.Filter):
    pass


ODD_LINE = memwhy.Filter(True, "*", lineno=1.5)


@pytest.mark.parametrize("filters", [
    memwhy.Filter(True, "*"), None, 5, "*", [None], ["*.py"], [Odd(True, "*")], [ODD_LINE],
    [memwhy.BaseFilter(True)], [memwhy.DomainFilter(True, None)],
    [standard.Filter(True, "*")], [memwhy.Filter(True, "*"), memwhy.Filter],
])
def test_what_is_no_filter_is_refused_and_tracing_stays_off(filters):
    with pytest.raises(TypeError) as raised:
        memwhy.start(filters=filters)
    assert "\n" not in str(raised.value)
    assert not memwhy.is_tracing()


def test_an_error_of_the_iterable_comes_through():
    def broken():
        yield memwhy.Filter(True, "*")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        memwhy.start(filters=broken())
    assert not memwhy.is_tracing()


def test_a_pattern_may_be_any_str():
    name = "\udcff\U0001f600é.py"
    make = made_elsewhere("def make(n):\n    return bytes(n)\n", name)["make"]
    memwhy.start(filters=[memwhy.Filter(True, "\udcff?é.*")])
    kept = [make(1000), bytes(1000)]
    assert files_of(memwhy.take_snapshot()) == {name}
    del kept


# ── sizes ────────────────────────────────────────────────────────────────────────────

SIZES = ["sample", "max_overhead"]


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [
    "", "K", "12X", "1e3", "nan", "inf", "-1", "-5K", "1_000", "1,5M", "0x10", "1 2", "٣",
    "1KKB", "5 Ki", "1KB", 0, -1, 2**63, "0", "0K", "0.0001", "9999999999999T", "1.2.3", "9" * 400,
])
def test_a_size_out_of_range_is_a_value_error(name, value):
    with pytest.raises(ValueError, match=name) as raised:
        memwhy.start(**{name: value})
    assert "\n" not in str(raised.value)
    assert not memwhy.is_tracing()


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [1.5, True, b"1K", [], object()])
def test_a_size_of_another_type_is_a_type_error(name, value):
    with pytest.raises(TypeError, match=name):
        memwhy.start(**{name: value})
    assert not memwhy.is_tracing()


@pytest.mark.parametrize("text, size", [
    ("1", 1), ("512K", 524288), ("1MiB", 1 << 20), ("1.5G", 3 << 29), (" 2 kib ", 2048),
    ("7B", 7), ("3T", 3 << 40), ("9007199254740993", 2**53 + 1), (4096, 4096),
])
def test_sizes_are_read_in_powers_of_1024(text, size):
    from memwhy import _start

    assert _start._bytes("sample", text) == size


# ── the number of frames ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("nframe, error", [
    (0, ValueError), (-1, ValueError), (65536, ValueError), (2**70, OverflowError),
    ("1", TypeError), (1.0, TypeError),
])
def test_a_bad_number_of_frames_leaves_tracing_off(nframe, error):
    with pytest.raises((error, ValueError)):
        memwhy.start(nframe)
    assert not memwhy.is_tracing()


def test_options_are_checked_while_tracing_too_and_then_change_nothing():
    memwhy.start(7)
    with pytest.raises(ValueError):
        memwhy.start(0)
    with pytest.raises(TypeError):
        memwhy.start(filters=[1])
    memwhy.start(9, filters=[memwhy.Filter(True, "nowhere.py")])
    kept = bytes(1000)
    assert memwhy.get_traceback_limit() == 7
    assert memwhy.get_object_traceback(kept) is not None


def test_options_have_names_but_nframe_needs_none():
    with pytest.raises(TypeError):
        memwhy.start(None, [])
    with pytest.raises(TypeError):
        memwhy.start(limit=3)
    memwhy.start(nframe=3)
    assert memwhy.get_traceback_limit() == 3


def test_the_drop_in_keeps_the_standard_signature():
    assert str(inspect.signature(tracemalloc.start)) == str(inspect.signature(standard.start))
    for arguments in ({"filters": []}, {"nframe": 1}, {"sample": 1}):
        with pytest.raises(TypeError):
            tracemalloc.start(**arguments)
    assert not memwhy.is_tracing()
