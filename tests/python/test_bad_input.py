# SPDX-License-Identifier: MIT
"""Wrong arguments: one clear error, and nothing is changed.  (Damaged and foreign snapshot
files: test_snapshot_files.py; the command: test_cli_run_refuses.py.)"""
import pickle
import tracemalloc as standard

import pytest

import memwhy
import memwhy.tracemalloc as ours

pytestmark = pytest.mark.usefixtures("untraced")


def error_of(function, *arguments, **names):
    with pytest.raises(Exception) as caught:
        function(*arguments, **names)
    return type(caught.value), str(caught.value)


# ── start ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("nframe", [0, -1, -(10**9), 65536, 10**9])
def test_start_refuses_numbers_of_frames_out_of_range(nframe):
    expected = ValueError, "the number of frames must be in range [1; 65535]"
    assert error_of(memwhy.start, nframe) == expected
    assert error_of(ours.start, nframe) == error_of(standard.start, nframe) == expected
    assert not memwhy.is_tracing()


@pytest.mark.parametrize("nframe", ["x", 1.5, [], 2**100, -(2**100), object])
def test_start_refuses_what_is_no_number_as_the_standard_module_does(nframe):
    kind, text = error_of(standard.start, nframe)
    assert error_of(ours.start, nframe) == (kind, text)
    assert error_of(memwhy.start, nframe) == (kind, text)
    assert not memwhy.is_tracing()


def test_start_takes_no_arguments_that_do_not_exist():
    for arguments, names in (((10, True), {}), ((10,), {"filters": []}), ((), {"nframe": 3})):
        kind, _ = error_of(standard.start, *arguments, **names)
        assert error_of(ours.start, *arguments, **names)[0] is kind is TypeError
    assert error_of(memwhy.start, 10, True)[0] is TypeError
    assert not memwhy.is_tracing()


def test_start_is_checked_also_while_tracing():
    memwhy.start(5)
    assert error_of(memwhy.start, 0)[0] is ValueError
    assert memwhy.get_traceback_limit() == 5


@pytest.mark.parametrize("name", ["stop", "is_tracing", "clear_traces", "get_traceback_limit",
                                  "get_traced_memory", "get_tracemalloc_memory", "reset_peak",
                                  "take_snapshot"])
def test_functions_without_arguments_take_none(name):
    kind, _ = error_of(getattr(standard, name), 1)
    assert error_of(getattr(ours, name), 1)[0] is kind is TypeError


# ── filters ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("filters", [1, "x", [1], [None], ["a.py"], [object()], None, {"a": 1}])
def test_filter_traces_refuses_what_is_no_filter_as_the_standard_module_does(filters):
    raw = [(0, 10, (("a.py", 1),), 1)]
    mine, theirs = ours.Snapshot(raw, 1), standard.Snapshot(raw, 1)
    kind, text = error_of(theirs.filter_traces, filters)
    assert error_of(mine.filter_traces, filters) == (kind, text)
    assert len(mine.traces) == 1


@pytest.mark.parametrize("make", ["Filter", "DomainFilter"])
@pytest.mark.parametrize("arguments", [(), (True,), (True, "a.py", 1, False, 0, 7)])
def test_filters_refuse_wrong_numbers_of_arguments(make, arguments):
    kind, text = error_of(getattr(standard, make), *arguments)
    assert error_of(getattr(ours, make), *arguments) == (kind, text)


@pytest.mark.parametrize("pattern", [None, 5, b"a.py", ["a.py"]])
def test_filters_take_patterns_only_as_the_standard_module_does(pattern):
    def use(module):
        try:
            one = module.Filter(True, pattern)
            return len(module.Snapshot([(0, 10, (("a.py", 1),), 1)], 1).filter_traces([one]).traces)
        except Exception as error:
            return type(error), str(error)

    assert use(ours) == use(standard)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """One for all: pytest itself keeps something of each."""
    return tmp_path_factory.mktemp("bad_input")


# ── snapshots ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key, cumulative", [
    ("bogus", False), (None, False), (5, True), ("traceback", True), ("LINENO", False),
    (["lineno"], False)])
def test_statistics_refuses_unknown_keys_as_the_standard_module_does(key, cumulative):
    raw = [(0, 10, (("a.py", 1),), 1)]
    mine, theirs = ours.Snapshot(raw, 1), standard.Snapshot(raw, 1)
    kind, text = error_of(theirs.statistics, key, cumulative)
    assert error_of(mine.statistics, key, cumulative)[0] is kind
    if isinstance(key, str) and key not in ("bogus", "LINENO"):
        assert error_of(mine.statistics, key, cumulative)[1] == text


@pytest.mark.parametrize("other", [None, 5, "x", [], object()])
def test_compare_to_refuses_what_is_no_snapshot_as_the_standard_module_does(other):
    raw = [(0, 10, (("a.py", 1),), 1)]
    kind, text = error_of(standard.Snapshot(raw, 1).compare_to, other, "lineno")
    assert error_of(ours.Snapshot(raw, 1).compare_to, other, "lineno") == (kind, text)


@pytest.mark.parametrize("content", [b"", b"\0", b"no snapshot at all\n", b"\x80\x05", bytes(1000),
                                     b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f"])
def test_load_refuses_garbage_as_the_standard_module_does(content, directory):
    path = directory / "garbage"
    path.write_bytes(content)
    kind, _ = error_of(standard.Snapshot.load, path)
    mine, text = error_of(ours.Snapshot.load, path)
    assert issubclass(mine, (kind, pickle.UnpicklingError)) and text


@pytest.mark.parametrize("path", ["/does/not/exist", "/"])
def test_load_and_dump_name_the_file_that_cannot_be_opened(path):
    snapshot = ours.Snapshot([], 1)
    assert error_of(ours.Snapshot.load, path) == error_of(standard.Snapshot.load, path)
    theirs = error_of(standard.Snapshot([], 1).dump, path)
    assert error_of(snapshot.dump, path) == theirs


def test_take_snapshot_says_that_tracing_is_off():
    assert error_of(ours.take_snapshot) == error_of(standard.take_snapshot)
    assert error_of(memwhy.take_snapshot) == error_of(standard.take_snapshot)


# ── memwhy.trace ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("names, kind, text", [
    ({"key_type": "bogus"}, ValueError, "unknown key_type: 'bogus'"),
    ({"key_type": None}, ValueError, "unknown key_type: None"),
    ({"key_type": ["lineno"]}, ValueError, "unknown key_type: ['lineno']"),
    ({"top": 0}, ValueError, "top must be a whole number from 1, not 0"),
    ({"top": -5}, ValueError, "top must be a whole number from 1, not -5"),
    ({"top": "10"}, ValueError, "top must be a whole number from 1, not '10'"),
    ({"top": 1.5}, ValueError, "top must be a whole number from 1, not 1.5"),
    ({"bogus": 1}, TypeError, "bogus"),
])
def test_trace_refuses_wrong_options_at_once(names, kind, text):
    found, message = error_of(memwhy.trace, **names)
    assert found is kind and text in message


@pytest.mark.parametrize("frame", [0, -1, 10**9, "x"])
def test_trace_refuses_wrong_frames_when_it_begins(frame):
    kind, _ = error_of(standard.start, frame)
    with pytest.raises(kind):
        with memwhy.trace(frame=frame, file=None):
            pytest.fail("the body was run")
    assert not memwhy.is_tracing()


def test_trace_refuses_what_is_no_function():
    for thing in (5, "x", None):
        assert error_of(memwhy.trace(), thing)[0] is TypeError
    assert error_of(memwhy.trace, 5)[0] is TypeError


@pytest.mark.parametrize("older", [5, "x", [], object()])
def test_write_refuses_what_is_no_snapshot(directory, older):
    snapshot = memwhy.Snapshot([(0, 10, (("a.py", 1),), 1)], 1)
    kind, text = error_of(lambda: snapshot.write(directory / "x.json", older=older))
    assert (kind, text) == (TypeError, f"a Snapshot is wanted, not {type(older).__name__}")
    assert not (directory / "x.json").exists()
