# SPDX-License-Identifier: MIT
"""`memwhy merge`: many captures into one."""
import os
import random
import shutil
import subprocess
from collections import Counter

import pytest

from captures import Dump, memwhy, read, reference, Writer
from cli_run import MEMWHY

FRAME = reference.Frame("app.py", 3, "work", "app", 1)


def counts(blocks, size, total_blocks, total_size):
    return reference.Counts(blocks, size, total_blocks, total_size)


def site(line, thread=0, epoch=0, depth=1):
    frames = tuple(reference.Frame("app.py", line + i, "work", "app", 1) for i in range(depth))
    return reference.Site(frames, depth, 0, thread, epoch)


def write(path, state, *, pid=1, name="app.py", start=10 ** 18, peak=None, totals=True, **more):
    writer = Writer(random.Random(str(path)), {"name": name, "pid": pid, "host": f"host{pid}",
                                               "start_unix_ns": start, "frame_limit": 5,
                                               "program_places": ["/srv/app"]})
    epochs = sorted({one.epoch_start for one in [*state, *(peak or {})]})
    points = [reference.Point(10 ** 9, rss_bytes=100, live_bytes=10, peak_bytes=20)]
    writer.snapshot(points, state, totals, epochs=epochs, **more)
    if peak is not None:
        writer.peak(points[0], peak, totals)
    writer.source({("app.py", 3): b"x = list()"})
    path.write_bytes(writer.data)
    return path


def merge(*arguments, status=0):
    done = memwhy("merge", *arguments)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    return done.stderr


def test_sums_by_content(tmp_path):
    write(tmp_path / "a.memwhy", {site(3): counts(2, 20, 5, 50), site(4): counts(1, 7, 1, 7)},
          start=10 ** 18 + 5)
    write(tmp_path / "b.memwhy", {site(9): counts(1, 1, 1, 1), site(3): counts(3, 30, 3, 30)},
          pid=2)
    out = tmp_path / "all.memwhy"
    assert merge(out, tmp_path / "a.memwhy", tmp_path / "b.memwhy") == ""
    merged = Dump(out)
    assert list(merged.snapshots()) == [{site(3): counts(5, 50, 8, 80),
                                         site(4): counts(1, 7, 1, 7),
                                         site(9): counts(1, 1, 1, 1)}]
    assert read(out.read_bytes()).snapshots == list(merged.snapshots())
    assert merged.program["name"] == "app.py"
    assert merged.program["host"] == ""
    assert merged.program["start_unix_ns"] == 10 ** 18
    assert merged.program["program_places"] == ["/srv/app"]
    assert merged.source["app.py", 3] == "x = list()"
    point, = merged.lines["point"]
    assert (point["time_ns"], point["rss_bytes"]) == (10 ** 9 + 5, 200)
    assert [(row["pid"], row["host"], row["live_bytes"], row["total_blocks"])
            for row in merged.lines["input"]] == [(1, "host1", 27, 6), (2, "host2", 31, 4)]
    assert merged.lines["input"][0]["file"] == str(tmp_path / "a.memwhy")


def test_joins_epochs_and_threads_of_one_name(tmp_path):
    one, other = tmp_path / "a.memwhy", tmp_path / "b.memwhy"
    write(one, {site(3, thread=1): counts(1, 8, 1, 8),
                site(3, thread=1, epoch=500): counts(1, 8, 1, 8),
                site(3, thread=2): counts(1, 8, 1, 8)}, thread_names={1: "main", 2: "worker"})
    write(other, {site(3, thread=7): counts(1, 8, 1, 8)}, thread_names={7: "main"})
    merge(tmp_path / "all.memwhy", one, other)
    merged = Dump(tmp_path / "all.memwhy")
    names = {row["site"]: row["thread_name"] for row in merged.lines["site"]}
    by_name = Counter()
    for number, size, *_ in merged.lines["snapshot"][0]["changed"]:
        by_name[names[number]] += size
    assert by_name == {"main": 24, "worker": 8}
    assert len(merged.sites) == 2


def test_keeps_processes_apart(tmp_path):
    inputs = [write(tmp_path / f"{pid}.memwhy", {site(3, depth=2): counts(1, pid, 1, pid)}, pid=pid)
              for pid in (1, 2)]
    merge(tmp_path / "all.memwhy", "--keep-apart", *inputs)
    merged = Dump(tmp_path / "all.memwhy")
    state, = merged.snapshots()
    assert {(one.frames[-1].function, one.total_frames, counted.bytes)
            for one, counted in state.items()} == {("app.py, pid 1, 1.memwhy", 3, 1),
                                                   ("app.py, pid 2, 2.memwhy", 3, 2)}
    assert {one.frames[-1].file for one in state} == {"<process>"}


def test_takes_peaks(tmp_path):
    inputs = [write(tmp_path / f"{pid}.memwhy", {site(3): counts(1, 1, 9, 9)},
                    peak={site(5): counts(4, 40, 4, 40)}) for pid in (1, 2)]
    merge("--peak", tmp_path / "all.memwhy", *inputs)
    state, = Dump(tmp_path / "all.memwhy").snapshots()
    assert state == {site(5): counts(8, 80, 8, 80)}


def test_has_totals_only_if_all_have(tmp_path):
    one = write(tmp_path / "a.memwhy", {site(3): counts(1, 8, 2, 16)})
    other = write(tmp_path / "b.memwhy", {site(3): counts(1, 8, 0, 0)}, totals=False)
    merge(tmp_path / "all.memwhy", one, other)
    capture = read((tmp_path / "all.memwhy").read_bytes())
    assert capture.has_totals == [False]
    assert capture.snapshots == [{site(3): counts(2, 16, 0, 0)}]


def test_what_was_merged_can_be_merged_again(tmp_path):
    inputs = [write(tmp_path / f"{pid}.memwhy", {site(3): counts(1, 8, 1, 8)}, pid=pid)
              for pid in (1, 2, 3)]
    merge(tmp_path / "two.memwhy", *inputs[:2])
    merge(tmp_path / "all.memwhy", tmp_path / "two.memwhy", inputs[2])
    merged = Dump(tmp_path / "all.memwhy")
    assert [row["pid"] for row in merged.lines["input"]] == [1, 2, 3]
    assert list(merged.snapshots()) == [{site(3): counts(3, 24, 3, 24)}]


def test_a_thousand_captures(tmp_path):
    inputs = [write(tmp_path / f"{pid}.memwhy", {site(3): counts(1, 8, 1, 8)}, pid=pid)
              for pid in range(1000)]
    merge(tmp_path / "all.memwhy", *inputs)
    merged = Dump(tmp_path / "all.memwhy")
    assert list(merged.snapshots()) == [{site(3): counts(1000, 8000, 1000, 8000)}]
    assert len(merged.lines["input"]) == 1000


# ── what goes wrong ───────────────────────────────────────────────────────────────────

@pytest.fixture
def good(tmp_path):
    return write(tmp_path / "good.memwhy", {site(3): counts(1, 8, 1, 8)})


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.memwhy"
    path.write_text("no capture")
    return path


def test_stops_at_a_bad_capture_and_writes_nothing(tmp_path, good, bad):
    out = tmp_path / "all.memwhy"
    sentence = merge(out, good, bad, status=2)
    assert sentence == f"memwhy: {bad}: is not a capture of memwhy.\n"
    assert sorted(os.listdir(tmp_path)) == ["bad.memwhy", "good.memwhy"]


def test_names_and_skips_bad_captures_if_asked(tmp_path, good, bad):
    out = tmp_path / "all.memwhy"
    missing = tmp_path / "missing.memwhy"
    sentences = merge("--skip-bad", out, bad, good, missing)
    assert sentences == (f"memwhy: {bad}: is not a capture of memwhy.\n"
                         f"memwhy: {missing}: cannot be opened: No such file or directory.\n")
    assert list(Dump(out).snapshots()) == [{site(3): counts(1, 8, 1, 8)}]
    assert "none of the captures can be merged." in merge("--skip-bad", out, bad, status=2)


@pytest.mark.parametrize("link", ["itself", "symlink", "hard link"])
def test_does_not_write_over_what_it_takes(tmp_path, good, link):
    before = good.read_bytes()
    out = tmp_path / "all.memwhy"
    if link == "itself":
        out = good
    elif link == "symlink":
        out.symlink_to(good)
    else:
        os.link(good, out)
    assert "is one of the captures to take, and would be lost" in merge(out, good, status=2)
    assert good.read_bytes() == before


def test_does_not_write_over_a_directory_or_device(tmp_path, good):
    for out in (tmp_path, "/dev/null"):
        assert merge(out, good, status=2) == (
            f"memwhy: {out}: is not a file, so no capture can be written there.\n")


@pytest.mark.parametrize("out, sentence", [
    ("", 'cannot write "": No such file or directory.'),
    ("/nowhere/x", 'cannot write "/nowhere/x": No such file or directory.'),
    ("-", "merge writes to a file, not to standard output."),
])
def test_says_where_it_cannot_write_before_it_reads(out, sentence):
    assert merge(out, "/nowhere/in.memwhy", status=2) == f"memwhy: {sentence}\n"


def test_a_file_that_nobody_may_write_is_not_replaced(tmp_path, good):
    out = tmp_path / "protected.memwhy"
    out.write_text("mine")
    out.chmod(0o444)
    tmp_path.chmod(0o777)
    good.chmod(0o644)
    if os.getuid() != 0:
        sentence = merge(out, good, status=2)
    else:
        # What root may write, it is not refused; somebody else runs a copy of the command.
        for path in list(tmp_path.parents)[:-2]:
            path.chmod(path.stat().st_mode | 0o055)
        command = shutil.copy(MEMWHY, tmp_path / "memwhy")
        sentence = subprocess.run([command, "merge", out, good], capture_output=True, text=True,
                                  user=65534, group=65534, extra_groups=[], timeout=60).stderr
    assert sentence == f'memwhy: cannot write "{out}": Permission denied.\n'
    assert out.read_text() == "mine"


def test_an_older_result_is_replaced(tmp_path, good, bad):
    merge(bad, good)
    assert list(Dump(bad).snapshots()) == [{site(3): counts(1, 8, 1, 8)}]


@pytest.mark.parametrize("arguments", [[], ["out"]])
def test_wants_files(arguments):
    assert merge(*arguments, status=2) == (
        "memwhy: merge wants the file to write and the captures to take; "
        'see "memwhy help merge".\n')


def test_refuses_unknown_options():
    assert merge("--frob", "a", "b", status=2) == (
        'memwhy: merge has no option "--frob"; see "memwhy help merge".\n')


def test_help_is_the_same_however_it_is_asked_for():
    usage = memwhy("help", "merge").stdout
    assert usage == memwhy("merge", "--help").stdout == memwhy("merge", "-h").stdout
    assert usage.startswith("usage: memwhy merge [--keep-apart]")
