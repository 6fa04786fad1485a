# SPDX-License-Identifier: MIT
"""Snapshots in files: ours, the standard module's, truncated, damaged and foreign ones."""

import os
import pickle
import random
import stat
import struct
import subprocess
import sys
import tracemalloc as standard

import pytest

import memwhy.tracemalloc as ours

RAW = [
    (0, 8, (("a.py", 1), ("b.py", 2)), 5),
    (0, 8, (("a.py", 1), ("b.py", 2)), 5),
    (3, 10**9, (("é\udc80.py", 0),), None),
    (0, 9, (("a.py", 1), ("b.py", 2)), 5),
]

REFUSALS = (EOFError, pickle.UnpicklingError, ValueError)


def load(path, data):
    path.write_bytes(data)
    return ours.Snapshot.load(path)


def refusal(path, data):
    """The one sentence with which the data is refused."""
    with pytest.raises(REFUSALS) as caught:
        load(path, data)
    sentence = str(caught.value)
    assert str(path) in sentence and "\n" not in sentence
    return sentence


# ── what works ────────────────────────────────────────────────────────────────────────


def test_a_dump_loads_as_it_was(tmp_path):
    snapshot = ours.Snapshot(list(RAW), 7)
    snapshot.note = {"any": "attribute"}
    snapshot.dump(tmp_path / "snapshot")
    again = ours.Snapshot.load(tmp_path / "snapshot")
    assert again.traces._traces == RAW and again.traces == snapshot.traces
    assert (again.traceback_limit, again.note) == (7, {"any": "attribute"})
    assert again.statistics("traceback") == snapshot.statistics("traceback")


def test_a_dump_of_the_standard_module_loads(tmp_path):
    theirs = standard.Snapshot(list(RAW), 7)
    theirs.note = "kept"
    theirs.dump(tmp_path / "snapshot")
    mine = ours.Snapshot.load(tmp_path / "snapshot")
    assert isinstance(mine, ours.Snapshot)
    assert mine.traces._traces == RAW and (mine.traceback_limit, mine.note) == (7, "kept")
    assert [str(one) for one in mine.statistics("lineno")] == [
        str(one) for one in theirs.statistics("lineno")
    ]


@pytest.mark.parametrize("name", [str, os.fsencode, lambda path: path])
def test_file_names_may_be_of_every_kind(tmp_path, name):
    path = name(tmp_path / "snapshot")
    ours.Snapshot(list(RAW), 7).dump(path)
    assert len(ours.Snapshot.load(path).traces) == 4


def test_file_descriptors_links_and_devices_are_written_through(tmp_path):
    snapshot = ours.Snapshot(list(RAW), 7)
    descriptor = os.open(tmp_path / "first", os.O_WRONLY | os.O_CREAT)
    snapshot.dump(descriptor)
    assert ours.Snapshot.load(tmp_path / "first").traces == snapshot.traces
    (tmp_path / "second").write_bytes(b"old")
    (tmp_path / "second").chmod(0o640)
    (tmp_path / "link").symlink_to(tmp_path / "second")
    snapshot.dump(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE((tmp_path / "second").stat().st_mode) == 0o640
    assert ours.Snapshot.load(tmp_path / "second").traces == snapshot.traces
    snapshot.dump("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_failed_dump_leaves_the_old_file_and_no_other(tmp_path):
    snapshot = ours.Snapshot(list(RAW), 7)
    snapshot.dump(tmp_path / "snapshot")
    before = (tmp_path / "snapshot").read_bytes()
    snapshot.note = lambda: "cannot be pickled"
    with pytest.raises(Exception):
        snapshot.dump(tmp_path / "snapshot")
    assert (tmp_path / "snapshot").read_bytes() == before
    assert os.listdir(tmp_path) == ["snapshot"]


# ── what does not ─────────────────────────────────────────────────────────────────────


def test_every_truncated_file_is_refused(tmp_path):
    for snapshot in (ours.Snapshot(list(RAW), 7), standard.Snapshot(list(RAW), 7)):
        whole = pickle.dumps(snapshot)
        for length in range(len(whole)):
            refusal(tmp_path / "snapshot", whole[:length])


@pytest.mark.parametrize(
    "data",
    [b"", b"no pickle at all\n", b"\x7fELF\x02\x01\x01" + bytes(60), pickle.dumps({"a": 1}),
     pickle.dumps([1, 2]), pickle.dumps(None), b"cnowhere\nNothing\n.", bytes(range(256)),
     b"\x80\xff.", pickle.dumps(RAW), pickle.dumps(ours.Traceback(RAW[0][2]))],
    ids=range(11),
)
def test_foreign_files_are_refused(tmp_path, data):
    refusal(tmp_path / "snapshot", data)


def test_a_directory_and_a_missing_file_are_os_errors(tmp_path):
    with pytest.raises(IsADirectoryError):
        ours.Snapshot.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        ours.Snapshot.load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        ours.Snapshot(list(RAW), 7).dump(tmp_path)


class Pickled:
    """Pickles as an object of [cls] with any state."""

    def __init__(self, cls, state):
        self.made = cls, state

    def __reduce__(self):
        cls, state = self.made
        return cls.__new__, (cls,), state


def with_traces_state(state):
    traces = Pickled(ours._Traces, state)
    return pickle.dumps(Pickled(ours.Snapshot, {"traces": traces, "traceback_limit": 1}))


def compact():
    """The state of a small snapshot, part by part."""
    state = ours.Snapshot(list(RAW), 7).traces.__reduce__()[2]["_compact"]
    return list(state)


def damaged(place, part):
    state = compact()
    state[place] = part
    return with_traces_state({"_compact": tuple(state)})


def test_the_state_that_is_damaged_below_is_right_as_it_is(tmp_path):
    data = with_traces_state({"_compact": tuple(compact())})
    assert load(tmp_path / "snapshot", data).traces._traces == RAW


VERSION, LIMIT, STRINGS, FRAMES, PATHS, THREADS, SITES, RUNS = range(8)

DAMAGE = {
    "version": (VERSION, 3, "newer memwhy"),
    "version text": (VERSION, "1", "no version"),
    "version large": (VERSION, 2**80, "newer memwhy"),
    "limit 0": (LIMIT, 0, "frame limit"),
    "limit large": (LIMIT, 2**80, "frame limit"),
    "strings a list": (STRINGS, ["a"], "tuple"),
    "strings of bytes": (STRINGS, (b"a",), "not a str"),
    "no strings": (STRINGS, (), "string that is not there"),
    "frames text": (FRAMES, "x" * 16, "not of bytes"),
    "frames cut": (FRAMES, bytes(15), "within a row"),
    "no frames": (FRAMES, b"", "frame that is not there"),
    "file number": (FRAMES, struct.pack("<IIIi", 2**32 - 1, 0, 0, 1) * 3, "string"),
    "function number": (FRAMES, struct.pack("<IIIi", 1, 99, 0, 1) * 3, "string"),
    "own caller": (PATHS, struct.pack("<II", 1, 1) * 3, "follow its caller"),
    "later caller": (PATHS, struct.pack("<II", 3, 1) * 3, "follow its caller"),
    "no frame": (PATHS, struct.pack("<II", 0, 0) * 3, "frame that is not there"),
    "no paths": (PATHS, b"", "call path that is not there"),
    "site without path": (SITES, struct.pack("<IIII", 0, 0, 0, 0) * 2, "call path"),
    "thread number": (SITES, struct.pack("<IIII", 1, 0, 0, 5) * 2, "thread"),
    "total too small": (SITES, struct.pack("<IIII", 2, 1, 0, 0) * 2, "more frames"),
    "no sites": (SITES, b"", "site that is not there"),
    "site 0": (RUNS, struct.pack("<QQQ", 0, 1, 1), "site that is not there"),
    "site large": (RUNS, struct.pack("<QQQ", 2**64 - 1, 1, 1), "site that is not there"),
    "no blocks": (RUNS, struct.pack("<QQQ", 1, 1, 0), "out of range"),
    "many blocks": (RUNS, struct.pack("<QQQ", 1, 0, 2**64 - 1), "out of range"),
    "product": (RUNS, struct.pack("<QQQ", 1, 2**40, 2**40), "out of range"),
    "sum": (RUNS, struct.pack("<QQQ", 1, 2**46, 2) * 5, "add up"),
}


@pytest.mark.parametrize("place, part, reason", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_tables_are_refused_with_their_reason(tmp_path, place, part, reason):
    assert reason in refusal(tmp_path / "snapshot", damaged(place, part))


@pytest.mark.parametrize("state", [{"_compact": 5}, {"_compact": ()}, {"_compact": (1,)}, {5: 5}])
def test_damaged_states_are_refused(tmp_path, state):
    refusal(tmp_path / "snapshot", with_traces_state(state))


@pytest.mark.parametrize("attributes", [{}, {"traces": 5, "traceback_limit": 1}, {"other": 1}])
def test_a_snapshot_without_traces_is_refused(tmp_path, attributes):
    refusal(tmp_path / "snapshot", pickle.dumps(Pickled(ours.Snapshot, attributes)))


def test_random_damage_to_the_tables_never_does_worse_than_refuse(tmp_path):
    rng = random.Random(1)
    for _ in range(3000):
        state = compact()
        place = rng.choice([FRAMES, PATHS, SITES, RUNS])
        part = bytearray(state[place])
        for _ in range(rng.randint(1, 3)):
            part[rng.randrange(len(part))] = rng.choice([0, 1, 2, 3, 4, 127, 255, rng.randrange(256)])
        traces = ours._Traces.__new__(ours._Traces)
        state[place] = bytes(part)
        try:
            traces.__setstate__({"_compact": tuple(state)})
        except ValueError:
            continue
        again = ours._Traces.__new__(ours._Traces)
        again.__setstate__(traces.__reduce__()[2])
        assert again == traces
        if len(traces) < 1000:
            assert again._traces == traces._traces


def test_traces_without_a_state_say_so():
    with pytest.raises(AttributeError):
        len(ours._Traces.__new__(ours._Traces))
    with pytest.raises(AttributeError):
        ours.Snapshot.__new__(ours.Snapshot).statistics("lineno")


# ── in place of the standard module ───────────────────────────────────────────────────


def run(code, *options):
    done = subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_install_replaces_both_modules_and_uninstall_puts_them_back():
    run(
        """if True:
        import sys
        import _tracemalloc, tracemalloc as original
        import memwhy.tracemalloc as ours
        ours.install(), ours.install()
        import tracemalloc, _tracemalloc as c_side
        assert tracemalloc is ours and c_side.start is ours.start
        assert {n for n in dir(_tracemalloc) if n[:2] != '__'} == {
            n for n in dir(c_side) if n[:2] != '__'}
        ours.uninstall(), ours.uninstall()
        assert sys.modules['tracemalloc'] is original
        assert sys.modules['_tracemalloc'] is _tracemalloc
        """
    )


def test_uninstall_leaves_nothing_where_nothing_was():
    run(
        """if True:
        import sys
        import memwhy.tracemalloc as ours
        was = sys.modules.pop('tracemalloc', None), sys.modules.pop('_tracemalloc', None)
        ours.install(), ours.uninstall()
        assert 'tracemalloc' not in sys.modules and '_tracemalloc' not in sys.modules
        """
    )


def test_a_resource_warning_shows_where_the_object_was_allocated():
    text = run(
        "import memwhy.tracemalloc as t\n"
        "t.install(); t.start(5)\n"
        "def leave_open():\n"
        "    return open('/dev/null')\n"
        "leave_open()\n",
        "-X", "dev",
    )
    assert "ResourceWarning" in text and "Object allocated at" in text
    assert 'File "<string>", lineno 4' in text
