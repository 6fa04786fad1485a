# SPDX-License-Identifier: MIT
"""Captures of a process while it runs: what is in them, and that the program does not notice.

Times are never waited for where a snapshot can be asked for (_memwhy._record_now)."""
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from recorded import by_traceback, live, of_function, read
from cli_run import PYTHON, memwhy, needs_command, plain, plain_environment, script  # noqa: F401
from processes import environment, python

pytestmark = needs_command


def run(*arguments, capture, **options):
    """`memwhy run -o capture …`, whose program must come to its end."""
    done = memwhy("run", "-o", capture, *arguments, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def record(tmp_path, text, *options, name="x.memwhy", status=0, **settings):
    """Runs the text of a program recorded; returns what was captured."""
    program = tmp_path / "recorded.py"
    program.write_text(textwrap.dedent(text))
    done = run(*options, program, capture=tmp_path / name, **settings)
    assert done.returncode == status, done.stderr
    capture = read(tmp_path / name)
    capture["stdout"] = done.stdout
    capture["stderr"] = done.stderr
    return capture


# ── what is in a capture ─────────────────────────────────────────────────────────────


def test_between_two_snapshots_are_points_alone(tmp_path):
    capture = record(tmp_path, "import time; time.sleep(1.3)", "--every", "8s")
    *between, last = [point.get("snapshot") for point in capture["points"]]
    assert last == 0
    assert between and set(between) == {None}


def test_one_snapshot_of_the_end_without_a_series(tmp_path):
    capture = record(tmp_path, """
        import sys
        def keep():
            return [bytes(1000) for _ in range(50)]
        kept = keep()
        sys.exit(3)
        """, status=3)
    assert len(capture["snapshots"]) == 1
    assert capture["exit_status"] == 3
    assert not capture["is_truncated"]
    assert capture["epochs"] == [0]
    assert capture["peak"] is None
    assert capture["points"][-1]["snapshot"] == 0
    assert capture["points"][-1]["live_bytes"] == live(capture["snapshots"][0])
    assert capture["points"][-1]["rss_bytes"] > 4 << 20
    assert capture["points"][-1]["overhead_bytes"] > 0
    kept = [site for site in capture["snapshots"][0]
            if (site["frames"][0][3] or "").strip() == "return [bytes(1000) for _ in range(50)]"]
    assert sum(site["blocks"] for site in kept) >= 51
    assert "\nThe capture is in " in capture["stderr"]
    assert "x.memwhy: 1 snapshot, " in capture["stderr"]


def test_program_and_interpreter_are_told(tmp_path):
    capture = record(tmp_path, "pass", name="told.memwhy")
    program = capture["program"]
    assert program["name"] == str(tmp_path / "recorded.py")
    assert program["command_line"].endswith("recorded.py")
    assert program["program_places"] == [str(tmp_path / "recorded.py")]
    assert os.path.dirname(os.__file__) in program["library_places"]
    assert program["directory"] == os.getcwd()
    assert program["python"] == ".".join(map(str, sys.version_info[:3]))
    assert program["host"] == os.uname().nodename
    assert program["parent_pid"] == 0
    assert program["sample_bytes"] == 0
    assert abs(program["start_unix_ns"] / 1e9 - time.time()) < 120


def test_command_line_can_be_left_out(tmp_path):
    done = run("--no-command-line", "-c", "pass", "--password=x", capture=tmp_path / "x.memwhy")
    assert done.returncode == 0
    assert read(tmp_path / "x.memwhy")["program"]["command_line"] == ""
    assert b"password" not in (tmp_path / "x.memwhy").read_bytes()
    done = run("-c", "pass", "it's", capture=tmp_path / "x.memwhy")
    assert read(tmp_path / "x.memwhy")["program"]["command_line"].endswith("-c pass 'it'\"'\"'s'")


def test_epochs_tell_when_what_is_alive_was_born(tmp_path):
    capture = record(tmp_path, """
        from memwhy import _memwhy
        bounded, unbounded = [], []
        def fill():
            unbounded.append(bytearray(10_000))
        def churn():
            bounded.append(bytearray(10_000))
            del bounded[:-2]
        for number in range(5):
            for _ in range(3):
                fill()
                churn()
            assert _memwhy._record_now()
        assert _memwhy._check_tallies()
        """)
    last = capture["snapshots"][-1]
    assert len(capture["snapshots"]) == 6
    assert len(capture["epochs"]) == 6
    assert capture["epochs"] == sorted(capture["epochs"])
    filled = of_function(last, "fill", "bytes")
    assert [filled[epoch] >= 30_000 for epoch in range(5)] == [True] * 5
    churned = of_function(last, "churn", "bytes")
    assert [epoch for epoch in churned if churned[epoch] >= 10_000] == [4]
    # Dead or alive: in the rows of epoch 0.
    assert set(of_function(last, "churn", "total_bytes")) == {0}
    assert of_function(last, "churn", "total_bytes")[0] >= 150_000
    assert of_function(last, "churn", "total_blocks")[0] >= 15
    # Each snapshot before knows of the epochs up to then.
    assert set(of_function(capture["snapshots"][1], "fill", "bytes")) == {0, 1}


@pytest.mark.parametrize("settings", ["", "MEMWHY_DISABLE=all", "frames"])
def test_sums_are_those_of_a_snapshot_at_the_same_moment(tmp_path, settings):
    program = tmp_path / "same.py"
    program.write_text(textwrap.dedent("""
        import json, sys, random, threading
        import memwhy
        from memwhy import _memwhy
        chance = random.Random(4)
        kept = {}
        def work(depth=0):
            for number in range(300):
                kept[chance.randrange(200)] = [bytes(chance.randrange(3000)), {number: str(number)}]
                if depth < 4 and chance.random() < 0.005:
                    work(depth + 1)
        for _ in range(4):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            _memwhy._record_now()
        now, take = _memwhy._record_now, memwhy.take_snapshot
        traced = memwhy.get_traced_memory
        before = take(); now(); after = take()
        now(); live = traced()[0]
        print(live)
        def rows(snapshot):
            return {tuple((frame.filename, frame.lineno) for frame in row.traceback):
                    [row.size, row.count] for row in snapshot.statistics("traceback")}
        before, after = rows(before), rows(after)
        # Taking a snapshot makes a few objects itself.
        for traceback in before.keys() & after.keys():
            if before[traceback] == after[traceback]:
                print(json.dumps([*before[traceback], traceback]))
        print(len(after), file=sys.stderr)
        """))
    env = dict(os.environ, **dict([settings.split("=")] if "=" in settings else []))
    options = ["--nframe", "3"] if settings == "frames" else []
    done = run(*options, program, capture=tmp_path / "x.memwhy", env=env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    capture = read(tmp_path / "x.memwhy")
    expected = {}
    for size, count, frames in map(json.loads, lines[1:]):
        # Most recent first, as many as the tracebacks of the snapshot have.
        expected[tuple((name, line) for name, line in reversed(frames))] = [size, count]
    found = by_traceback(capture["snapshots"][4])
    if settings == "frames":
        assert capture["program"]["frame_limit"] == 3
        cut = {}
        for key, (size, count) in found.items():
            sums = cut.setdefault(key[:3], [0, 0])
            sums[0] += size
            sums[1] += count
        found = cut
    assert {key: found.get(key) for key in expected} == expected
    assert len(expected) >= len(found) - 12
    assert abs(live(capture["snapshots"][5]) - int(lines[0])) <= 200
    assert capture["points"][-1]["peak_bytes"] >= int(lines[0])


def test_threads_have_their_names(tmp_path):
    capture = record(tmp_path, """
        import threading
        from memwhy import _memwhy
        kept = []
        def work():
            kept.append(bytearray(5000))
            _memwhy._record_now()
        for name in ("worker-one", "Ärger-\\U0001f40d"):
            thread = threading.Thread(target=work, name=name)
            thread.start()
            thread.join()
        """)
    names = {site["thread"] for site in capture["snapshots"][-1]
             if site["frames"][0][2] == "work"}
    assert names == {"worker-one", "Ärger-\U0001f40d"}


def test_lines_of_notebooks_are_in(tmp_path):
    capture = record(tmp_path, """
        import linecache
        source = "def cell():\\n    return bytearray(3000)  # of a notebook\\n"
        linecache.cache["<cell 1>"] = (len(source), None, source.splitlines(True), "<cell 1>")
        exec(compile(source, "<cell 1>", "exec"))
        kept = cell()
        """)
    texts = {frame[3] for site in capture["snapshots"][0] for frame in site["frames"]
             if frame[0] == "<cell 1>"}
    assert "    return bytearray(3000)  # of a notebook" in texts


def test_lines_are_as_they_were_when_they_were_captured(tmp_path):
    capture = record(tmp_path, """
        from memwhy import _memwhy
        kept = bytearray(3000)  # as it was
        _memwhy._record_now()
        text = open(__file__).read().replace("as it was", "as it is")
        open(__file__, "w").write(text)
        """)
    for sites in capture["snapshots"]:
        assert any(frame[3] == "kept = bytearray(3000)  # as it was"
                   for site in sites for frame in site["frames"])


def test_samples_are_estimates_in_whole_numbers(tmp_path):
    program = tmp_path / "sampled.py"
    program.write_text("kept = [bytes(1000) for _ in range(20_000)]\n")
    env = dict(os.environ, MEMWHY=f"sample=4K,capture={tmp_path}/x.memwhy")
    assert plain(program, env=env).returncode == 0
    capture = read(tmp_path / "x.memwhy")
    assert capture["program"]["sample_bytes"] == 4096
    sites = [site for site in capture["snapshots"][0]
             if "kept =" in (site["frames"][0][3] or "")]
    assert 16e6 < sum(site["bytes"] for site in sites) < 26e6
    assert 16e6 < sum(site["total_bytes"] for site in sites) < 26e6
    assert capture["points"][-1]["live_bytes"] > 16e6


# ── series ───────────────────────────────────────────────────────────────────────────

WAIT = """
import time
from memwhy import _memwhy
def wait_for(count):
    for _ in range(6000):
        if _memwhy._record_state()["snapshots"] >= count:
            return
        time.sleep(0.01)
    raise SystemExit("nobody took the snapshots")
"""


def test_a_snapshot_each_time(tmp_path):
    capture = record(tmp_path, WAIT + "wait_for(5)\n", "--every", "20ms")
    assert len(capture["snapshots"]) >= 6
    times = [point["time_ns"] for point in capture["points"]]
    assert times == sorted(times)
    assert capture["program"]["parent_pid"] == 0


def test_only_the_last_are_kept(tmp_path):
    capture = record(tmp_path, WAIT + "wait_for(60)\n", "--every", "10ms", "--keep", "100ms")
    assert 5 <= len(capture["snapshots"]) < 60
    assert capture["exit_status"] == 0


def test_the_peak_has_its_sites(tmp_path):
    capture = record(tmp_path, """
        def spike():
            return [bytearray(100_000) for _ in range(300)]
        def after():
            return [bytearray(1000) for _ in range(10)]
        spike()
        kept = after()
        """, "--peak")
    point, sites = capture["peak"]
    assert point["peak_bytes"] >= point["live_bytes"] == live(sites) > 29e6
    assert point["live_bytes"] >= 0.99 * point["peak_bytes"] - 65536
    assert capture["points"][-1]["peak_bytes"] == point["peak_bytes"]
    assert capture["points"][-1]["live_bytes"] < 5e6
    held = sum(site["bytes"] for site in sites
               if any(frame[2] == "spike" for frame in site["frames"]))
    assert held > 0.98 * live(sites)
    # Sums of the end are not disturbed.
    assert sum(site["bytes"] for site in capture["snapshots"][0]
               if any(frame[2] == "spike" for frame in site["frames"])) < 10_000


def test_a_signal_asks_for_a_snapshot(tmp_path):
    capture = record(tmp_path, WAIT + """
import os, signal
for number in range(1, 4):
    os.kill(os.getpid(), signal.SIGUSR2)
    wait_for(number)
assert signal.getsignal(signal.SIGUSR2) in (signal.SIG_DFL, None)
""", "--signal", "SIGUSR2")
    assert len(capture["snapshots"]) == 4


def test_the_programs_own_handler_wins(tmp_path):
    capture = record(tmp_path, """
        import os, signal
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
        os.kill(os.getpid(), signal.SIGUSR1)
        print(seen)
        """, "--signal=usr1")
    assert capture["stdout"] == "[1]\n"
    assert len(capture["snapshots"]) == 1


# ── how it ends ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ending, status", [
    ("pass", 0),
    ("import sys; sys.exit(7)", 7),
    ("import sys; sys.exit('text')", 1),
    ("1 / 0", 1),
    ("import os; os._exit(9)", 9),
    ("import os; os._exit(256 + 4)", 4),
    ("import threading, time; threading.Thread(target=time.sleep, args=(0.1,)).start()", 0),
    ("import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
     0),
])
def test_the_exit_status_is_told(tmp_path, ending, status):
    done = memwhy("run", "--every", "30ms", "-o", tmp_path / "x.memwhy", "-c",
                  f"kept = bytearray(50_000)\n{ending}")
    capture = read(tmp_path / "x.memwhy")
    assert (done.returncode, capture["exit_status"]) == (status, status)
    assert live(capture["snapshots"][-1]) >= 50_000
    assert not capture["is_truncated"]


def test_exit_without_the_end_of_the_interpreter_is_told(tmp_path):
    capture = record(tmp_path, WAIT + """
import ctypes
kept = bytearray(70_000)
wait_for(2)
ctypes.CDLL(None).exit(5)
""", "--every", "20ms", status=5)
    assert capture["exit_status"] == 5
    assert live(capture["snapshots"][-1]) > 70_000


def killed(tmp_path, chance, number):
    """Runs a program with a series, kills it after a random time; returns how many snapshots it
    had been told were written, and the capture."""
    path = tmp_path / f"killed{number}.memwhy"
    program = tmp_path / "killed.py"
    program.write_text(textwrap.dedent("""
        import sys
        from memwhy import _memwhy
        kept, told = [], 0
        while True:
            kept.append(bytearray(200))
            del kept[:-5000]
            written = _memwhy._record_state()["snapshots"]
            if written != told:
                told = written
                print(told, flush=True)
        """))
    with subprocess.Popen(["memwhy-is-here", "run", "-o", path, "--every", "10ms", "--peak",
                           program], executable=os.path.join(os.path.dirname(sys.executable),
                                                             "memwhy"),
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        process.stdout.readline()
        time.sleep(chance.random() * 0.15)
        process.kill()
        told = [1, *map(int, process.stdout.read().split())][-1]
    return told, read(path)


def check_killed(tmp_path, count, seed):
    chance = random.Random(seed)
    for number in range(count):
        told, capture = killed(tmp_path, chance, number)
        assert len(capture["snapshots"]) >= told >= 1
        assert capture["exit_status"] is None
        for sites, point in zip(capture["snapshots"], (point for point in capture["points"]
                                                       if point["snapshot"] >= 0)):
            assert live(sites) == point["live_bytes"]


def test_a_killed_process_leaves_all_that_was_written(tmp_path):
    check_killed(tmp_path, 8, 1)


@pytest.mark.slow("200 processes are killed")
def test_two_hundred_killed_processes_leave_all_that_was_written(tmp_path):
    check_killed(tmp_path, 200, 2)


# ── what the program must not notice ─────────────────────────────────────────────────


def test_what_the_recorder_does_is_in_no_snapshot(tmp_path):
    capture = record(tmp_path, WAIT + """
import threading, warnings
import memwhy
take = memwhy.take_snapshot
now = _memwhy._record_now
def lines(snapshot):
    return {(str(row.traceback), row.size, row.count) for row in snapshot.statistics("traceback")
            if __file__ not in str(row.traceback) and "<unknown>" not in str(row.traceback)}
wait_for(3)
before = lines(take())
wait_for(10)
for _ in range(20):
    now()
after = lines(take())
print(sorted(after - before))
print([thread.name for thread in threading.enumerate()], threading.active_count())
""", "--every", "10ms", "--peak")
    assert capture["stdout"] == "[]\n['MainThread'] 1\n"


def test_the_recorders_thread_allocates_nothing_that_counts(tmp_path):
    capture = record(tmp_path, WAIT + "wait_for(30)\n", "--every", "10ms", "--peak")

    def nobodys(sites):
        return [(site["thread"], site["total_blocks"]) for site in sites
                if site["frames"][0][0] == "<unknown>"]

    # No frame asked for it, and no frame is what the thread has.
    assert nobodys(capture["snapshots"][2]) == nobodys(capture["snapshots"][-2])


def test_forks_are_not_warned_of(tmp_path):
    text = """
        import os, sys, time
        time.sleep(0.1)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        print(os.waitpid(pid, 0)[1])
        """
    capture = record(tmp_path, text, "--every", "20ms")
    assert capture["stdout"] == "0\n"
    assert "Warning" not in capture["stderr"]


def test_stopping_and_clearing_is_the_programs_business(tmp_path):
    capture = record(tmp_path, """
        import memwhy
        from memwhy import _memwhy
        def keep():
            return bytearray(100_000)
        kept = [keep()]
        assert _memwhy._record_now()
        memwhy.clear_traces()
        kept.append(keep())
        assert _memwhy._record_now()
        memwhy.stop()
        assert not _memwhy._record_now()
        memwhy.start()
        kept.append(keep())
        assert _memwhy._record_now()
        assert _memwhy._check_tallies()
        """)
    assert len(capture["snapshots"]) == 4
    kept = [of_function(sites, "keep") for sites in capture["snapshots"]]
    assert [sum(found.values()) // 100_000 for found in kept] == [1, 1, 1, 1]
    assert [list(found)[0] for found in kept] == [0, 1, 2, 2]


def test_a_full_disk_costs_snapshots_and_nothing_else(tmp_path):
    capture = record(tmp_path, """
        import os, resource, sys
        from memwhy import _memwhy
        now = _memwhy._record_now
        path = _memwhy._record_state()["path"]
        kept = []
        def keep(count):
            exec("\\n".join(f"kept.append(bytearray({1000 + i}))" for i in range(count)))
        keep(20)
        now()
        size = os.stat(path).st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
        for _ in range(3):
            keep(300)
            now()
        state = _memwhy._record_state()
        print(state["failures"], state["snapshots"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        now()
        print(_memwhy._record_state()["snapshots"])
        """)
    assert capture["stdout"] == "3 1\n2\n"
    assert capture["stderr"].count("cannot be written for now") == 1
    assert "3 could not be written" in capture["stderr"]
    assert len(capture["snapshots"]) == 3
    assert live(capture["snapshots"][1]) > 900_000
    assert not capture["is_truncated"]


def test_a_daemon_that_closes_every_file_loses_nothing(tmp_path):
    capture = record(tmp_path, """
        import os
        from memwhy import _memwhy
        kept = [bytearray(10_000)]
        _memwhy._record_now()
        os.closerange(3, 256)
        # The numbers are other files' now.
        files = [open(f"{os.path.dirname(__file__)}/own{i}", "wb+", buffering=0) for i in range(9)]
        for file in files:
            file.write(b"mine")
        kept.append(bytearray(10_000))
        _memwhy._record_now()
        for file in files:
            file.seek(0)
            assert file.read() == b"mine"
            os.fstat(file.fileno())
        """)
    assert len(capture["snapshots"]) == 3
    assert not capture["is_truncated"]
    assert live(capture["snapshots"][1]) > live(capture["snapshots"][0]) + 10_000


def test_a_directory_that_goes_away_stops_nothing(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    program = tmp_path / "goes.py"
    program.write_text(f"import shutil\nshutil.rmtree({str(place)!r})\nprint('done')\n")
    done = run("--every", "10ms", program, capture=place / "x.memwhy")
    assert (done.stdout, done.returncode) == ("done\n", 0)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters share the GIL before 3.12")
def test_interpreters_with_a_gil_of_their_own_are_recorded(tmp_path):
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    create = "create('isolated')" if sys.version_info >= (3, 13) else "create(isolated=True)"
    capture = record(tmp_path, WAIT + f"""
import {module} as interpreters, threading
number = interpreters.{create}
thread = threading.Thread(target=interpreters.run_string, args=(
    number, "kept = [bytes(1000) for _ in range(1000)]\\nimport time; time.sleep(0.1)"))
thread.start()
wait_for(5)
thread.join()
interpreters.destroy(number)
""", "--every", "10ms")
    assert max(map(live, capture["snapshots"])) > 1_000_000


# ── forks ────────────────────────────────────────────────────────────────────────────


def captures_beside(path):
    return {found.name: read(found, only_last=True) for found in sorted(path.parent.glob("*.memwhy"))
            if found != path}


def test_a_child_leaves_the_parents_capture_alone(tmp_path):
    capture = record(tmp_path, WAIT + """
import os, sys
kept = bytearray(50_000)
for leave in (os._exit, sys.exit):
    pid = os.fork()
    if pid == 0:
        more = bytearray(500_000)
        time.sleep(0.05)
        assert not _memwhy._record_now() and _memwhy._record_state() is None
        leave(3)
    assert os.waitpid(pid, 0)[1] == 3 << 8
wait_for(3)
""", "--every", "10ms")
    assert captures_beside(tmp_path / "x.memwhy") == {}
    assert capture["exit_status"] == 0
    assert capture["children"] == []
    assert all(live(sites) < 450_000 for sites in capture["snapshots"])
    assert capture["stderr"].count("The capture is in") == 1


FORKS = WAIT + """
import os, sys
def before():
    return bytearray(100_000)
def after():
    return bytearray(50_000)
kept = [before()]
wait_for(2)
"""


def test_each_child_has_a_capture(tmp_path):
    capture = record(tmp_path, FORKS + """
pids = []
for leave in (os._exit, sys.exit):
    pid = os.fork()
    if pid == 0:
        kept.append(after())
        _memwhy._record_now()
        kept.append(after())
        leave(4)
    assert os.waitpid(pid, 0)[1] == 4 << 8
    pids.append(pid)
print(*pids)
""", "--every", "10ms", "--follow-fork", "--peak")
    pids = list(map(int, capture["stdout"].split()))
    children = captures_beside(tmp_path / "x.memwhy")
    assert sorted(children) == sorted(f"x.{pid}.memwhy" for pid in pids)
    assert [child[1:] for child in capture["children"]] == [(pid, f"x.{pid}.memwhy")
                                                           for pid in pids]
    for child in children.values():
        assert child["program"]["parent_pid"] == capture["program"]["pid"]
        assert child["exit_status"] == 4
        # What the parent made is older than all the child's epochs.
        assert set(of_function(child["snapshots"][-1], "before")) == {0}
        assert 0 not in of_function(child["snapshots"][-1], "after")
        assert sum(of_function(child["snapshots"][-1], "after").values()) >= 100_000
    assert not of_function(capture["snapshots"][-1], "after")


def test_grandchildren_are_of_the_family(tmp_path):
    capture = record(tmp_path, FORKS + """
pid = os.fork()
if pid == 0:
    inner = os.fork()
    if inner == 0:
        kept.append(after())
        os._exit(0)
    os.waitpid(inner, 0)
    print(os.getpid(), inner, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
""", "--every", "10ms", "--follow-fork")
    pid, inner = capture["stdout"].split()
    children = captures_beside(tmp_path / "x.memwhy")
    assert sorted(children) == sorted([f"x.{pid}.memwhy", f"x.{inner}.memwhy"])
    assert [child[2] for child in children[f"x.{pid}.memwhy"]["children"]] == [f"x.{inner}.memwhy"]
    assert children[f"x.{inner}.memwhy"]["program"]["parent_pid"] == int(pid)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_have_captures(tmp_path, method):
    capture = record(tmp_path, f"""
        import multiprocessing, os, sys
        def work(queue):
            kept = [bytearray(1000) for _ in range(500)]
            queue.put(os.getpid())
        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            queue = context.SimpleQueue()
            workers = [context.Process(target=work, args=(queue,)) for _ in range(2)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            print(queue.get(), queue.get())
        """, "--every", "1h", "--follow-fork")
    pids = capture["stdout"].split()
    children = captures_beside(tmp_path / "x.memwhy")
    for pid in pids:
        child = children[f"x.{pid}.memwhy"]
        assert child["exit_status"] == 0
        assert of_function(child["snapshots"][-1], "work", "total_bytes") \
            or of_function(child["snapshots"][-1], "<listcomp>", "total_bytes")
    told = {name for _, _, name in capture["children"]}
    for child in children.values():
        told |= {name for _, _, name in child["children"]}
    assert {f"x.{pid}.memwhy" for pid in pids} <= told
    assert capture["exit_status"] == 0


def test_python_programs_that_it_starts_have_captures(tmp_path):
    capture = record(tmp_path, """
        import subprocess, sys, os
        code = "import os; kept = bytearray(90_000); print(os.getpid(), 'MEMWHY_RUN' in os.environ)"
        for _ in range(2):
            subprocess.run([sys.executable, "-c", code], check=True)
        subprocess.run(["true"], check=True)
        """, "--follow-fork")
    pids = [line.split()[0] for line in capture["stdout"].splitlines()]
    children = captures_beside(tmp_path / "x.memwhy")
    assert sorted(children) == sorted(f"x.{pid}.memwhy" for pid in pids)
    assert [child[2] for child in capture["children"]] == [f"x.{pid}.memwhy" for pid in pids]
    for child in children.values():
        assert child["exit_status"] == 0
        assert live(child["snapshots"][-1]) > 90_000
        assert child["program"]["name"] == "-c"
    assert capture["stderr"].count("The capture is in") == 1
    assert capture["stderr"].count("\nmemwhy: ") == 0


def test_a_prefork_server_is_recorded_worker_by_worker(tmp_path):
    capture = record(tmp_path, """
        import os, signal, socket, sys
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen()
        kept = []
        def serve():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            while True:
                client, _ = server.accept()
                kept.append(bytearray(20_000))
                client.sendall(str(os.getpid()).encode())
                client.close()
        workers = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                serve()
            workers.append(pid)
        for _ in range(12):
            client = socket.create_connection(server.getsockname())
            while client.recv(100):
                pass
            client.close()
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        print([os.waitpid(pid, 0)[1] for pid in workers])
        """, "--every", "20ms", "--follow-fork")
    assert capture["stdout"] == "[0, 0, 0]\n"
    children = captures_beside(tmp_path / "x.memwhy")
    assert len(children) == len(capture["children"]) == 3
    served = [sum(of_function(child["snapshots"][-1], "serve").values()) // 20_000
              for child in children.values()]
    assert sum(served) == 12


# ── what cannot be ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("options, sentence", [
    (["--every", "10s"], "--every wants -o FILE, the capture that it is for."),
    (["--peak"], "--peak wants -o FILE, the capture that it is for."),
    (["--follow-fork"], "--follow-fork wants -o FILE, the capture that it is for."),
    (["--no-command-line"], "--no-command-line wants -o FILE, the capture that it is for."),
    (["--signal", "USR1"], "--signal wants -o FILE, the capture that it is for."),
    (["-o", "x.memwhy", "--keep", "1h"], "--keep wants --every, the time between two snapshots."),
    (["-o", "x.memwhy", "--every", "1h", "--keep", "5m"],
     "--keep is shorter than --every, so nothing would be kept."),
    (["-o", "x.memwhy", "--every", "10"],
     '--every takes a time such as 500ms, 10s, 5m or 24h, not "10".'),
    (["-o", "x.memwhy", "--every", "soon"],
     '--every takes a time such as 500ms, 10s, 5m or 24h, not "soon".'),
    (["-o", "x.memwhy", "--every=-3s"],
     '--every takes a time such as 500ms, 10s, 5m or 24h, not "-3s".'),
    (["-o", "x.memwhy", "--every", "1us"], '--every takes a time from 10ms to 3660d, not "1us".'),
    (["-o", "x.memwhy", "--every", "5000d"],
     '--every takes a time from 10ms to 3660d, not "5000d".'),
    (["-o", "x.memwhy", "--signal", "SIGKILL"],
     '--signal takes a signal that can be caught, such as SIGUSR2, not "SIGKILL".'),
    (["-o", "x.memwhy", "--signal", "9"],
     '--signal takes a signal that can be caught, such as SIGUSR2, not "9".'),
    (["-o", "x.memwhy", "--peak=yes"], 'run has no option "--peak"; see "memwhy help run".'),
    (["-o", ""], "-o wants a file's name."),
    (["-o", "missing/x.memwhy"], None),
    (["-o", "."], None),
    (["-o", "/dev/null"], 'a capture cannot be written to "/dev/null", which is no file.'),
])
def test_what_cannot_be_followed_is_one_sentence(tmp_path, options, sentence):
    done = memwhy("run", *options, "-c", "print('ran')", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("memwhy: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    if sentence is not None:
        assert done.stderr == f"memwhy: {sentence}\n"


def test_a_file_that_is_no_capture_is_not_replaced(tmp_path):
    precious = tmp_path / "app.py"
    precious.write_text("print('precious')\n")
    done = memwhy("run", "-o", precious, precious)
    assert done.returncode == 2
    assert done.stderr.endswith("is there and is no capture, so it is not replaced.\n")
    assert precious.read_text() == "print('precious')\n"
    capture = tmp_path / "x.memwhy"
    capture.write_bytes(b"")
    for _ in range(2):
        assert run(precious, capture=capture).returncode == 0


# ── MEMWHY=capture=… ─────────────────────────────────────────────────────────────────


def told(tmp_path, setting, text, status=0, cwd=None):
    program = tmp_path / "told.py"
    program.write_text(textwrap.dedent(text))
    done = plain(program, env=dict(os.environ, MEMWHY=setting), cwd=cwd or tmp_path)
    assert done.returncode == status, done.stderr
    return done


def test_services_are_recorded_by_their_environment_alone(tmp_path):
    done = told(tmp_path, "nframe=7,capture=x.memwhy,every=20ms,keep=1h,peak=1,command_line=0,"
                "signal=USR2", WAIT + "kept = bytearray(80_000)\nwait_for(3)\nraise SystemExit(6)\n",
                status=6)
    assert (done.stdout, done.stderr) == ("", "")
    capture = read(tmp_path / "x.memwhy")
    assert capture["program"]["frame_limit"] == 7
    assert capture["program"]["command_line"] == ""
    assert capture["exit_status"] == 6
    assert len(capture["snapshots"]) >= 4
    assert capture["peak"] is not None


def test_programs_that_inherit_the_setting_do_not_take_the_file(tmp_path):
    text = """
        import subprocess, sys
        kept = bytearray(80_000)
        subprocess.run([sys.executable, "-c", "import memwhy; print(memwhy.is_tracing())"])
        """
    assert told(tmp_path, "capture=x.memwhy", text).stdout == "True\n"
    assert [path.name for path in tmp_path.glob("*.memwhy")] == ["x.memwhy"]
    assert live(read(tmp_path / "x.memwhy")["snapshots"][0]) > 80_000
    told(tmp_path, "capture=y.memwhy,follow_fork=1", text)
    capture = read(tmp_path / "y.memwhy")
    assert [child[2] for child in capture["children"]] == [
        path.name for path in tmp_path.glob("y.*.memwhy")]


def test_the_pid_can_be_in_the_name(tmp_path):
    done = told(tmp_path, "capture=z.%p.memwhy", "import os; print(os.getpid())")
    assert read(tmp_path / f"z.{done.stdout.strip()}.memwhy")["exit_status"] == 0


@pytest.mark.parametrize("setting, reason", [
    ("every=10s", "every wants capture=FILE, the capture that it is for"),
    ("capture=x.memwhy,every=10", "every takes a time such as 500ms, 10s, 5m or 24h, not '10'"),
    ("capture=x.memwhy,keep=1h", "keep wants every, the time between two snapshots"),
    ("capture=x.memwhy,peak=yes", "what is either on or off is 1 or 0, not 'yes'"),
    ("capture=x.memwhy,peak=1,sample=1K", "peak wants every block: samples do not tell"),
    ("capture=x.memwhy,signal=KILL",
     "signal takes a signal that can be caught, such as SIGUSR2, not 'KILL'"),
    ("capture=x,signal=SIGSEGV",
     "signal takes a signal that can be caught, such as SIGUSR2, not 'SIGSEGV'"),
    ("capture=x,signal=7", "signal takes a signal that can be caught, such as SIGUSR2, not '7'"),
    ("capture=x,signal=SIG_IGN",
     "signal takes a signal that can be caught, such as SIGUSR2, not 'SIG_IGN'"),
])
def test_what_the_environment_cannot_mean_is_one_sentence(tmp_path, setting, reason):
    done = told(tmp_path, setting, "print('ran')")
    assert done.stdout == "ran\n"
    assert done.stderr == f"memwhy: MEMWHY is not followed, and nothing traced: {reason}.\n"
    assert not list(tmp_path.glob("*.memwhy"))


def test_a_hostile_name_of_a_capture_that_cannot_be_made_is_one_sentence(tmp_path):
    done = told(tmp_path, "capture=missing\033[31m\nx/x.memwhy,every=10ms", "")
    assert done.stderr.startswith("memwhy: the capture cannot be written for now: ")
    assert "missing?[31m?x/x.memwhy" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_capture_that_cannot_be_made_stops_nothing(tmp_path):
    done = told(tmp_path, "capture=missing/x.memwhy,every=10ms", "import time; time.sleep(0.1)")
    assert done.stderr.startswith("memwhy: the capture cannot be written for now: ")
    assert done.stderr.count("\n") == 1


# ── memwhy.snapshot_to() ─────────────────────────────────────────────────────────────


def in_python(tmp_path, text, **changes):
    done = python("-c", textwrap.dedent(text), env=environment(**changes), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_snapshot_to_writes_what_take_snapshot_has(tmp_path):
    out = in_python(tmp_path, """
        import memwhy, pathlib
        memwhy.start()
        kept = [bytes(number) for number in range(3000)]
        memwhy.snapshot_to("warm.memwhy")
        to, take, path = memwhy.snapshot_to, memwhy.take_snapshot, pathlib.Path("x.memwhy")
        to(path)
        print(sum(row.size for row in take().statistics("lineno") if "<string>" in str(row)))
        to(b"y.memwhy")
        """)
    capture = read(tmp_path / "x.memwhy")
    found = sum(site["bytes"] for site in capture["snapshots"][0]
                if site["frames"][0][0] == "<string>")
    assert abs(found - int(out)) < 2000
    assert capture["exit_status"] is None
    assert capture["epochs"] == [0]
    assert len(read(tmp_path / "y.memwhy")["snapshots"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["warm.memwhy", "x.memwhy",
                                                                "y.memwhy"]


def test_snapshot_to_works_with_samples_and_beside_a_recording(tmp_path):
    in_python(tmp_path, """
        import memwhy
        memwhy.start(sample=1000)
        kept = [bytes(1000) for _ in range(1000)]
        memwhy.snapshot_to("x.memwhy")
        """)
    assert read(tmp_path / "x.memwhy")["program"]["sample_bytes"] == 1000
    assert live(read(tmp_path / "x.memwhy")["snapshots"][0]) > 500_000
    capture = record(tmp_path, """
        import memwhy
        from memwhy import _memwhy
        _memwhy._record_now()
        memwhy.snapshot_to("beside.memwhy")
        """, cwd=tmp_path)
    assert len(capture["snapshots"]) == 2
    assert {site["epoch"] for site in read(tmp_path / "beside.memwhy")["snapshots"][0]} == {0}


def test_snapshot_to_says_what_is_wrong(tmp_path):
    (tmp_path / "link").symlink_to("pipe")
    out = in_python(tmp_path, """
        import memwhy, os
        def said(*arguments):
            try:
                memwhy.snapshot_to(*arguments)
            except Exception as error:
                print(type(error).__name__, error)
        said("x.memwhy")
        memwhy.start()
        said("missing/x.memwhy")
        said("/")
        said("x" * 5000)
        said(3)
        said("")
        os.mkfifo("pipe")
        said("pipe")
        said("link")
        """)
    lines = out.splitlines()
    assert lines[0] == "RuntimeError memwhy must be tracing: call memwhy.start() first"
    assert lines[1].startswith("OSError No such file or directory while ")
    assert lines[2] == "IsADirectoryError [Errno 21] Is a directory: '/'"
    assert lines[3].startswith("ValueError ")
    assert lines[4].startswith("TypeError ")
    assert lines[5] == "FileNotFoundError [Errno 2] No such file or directory: ''"
    assert lines[6] == "OSError A capture cannot be written to pipe, which is no file."
    assert lines[7] == "OSError A capture cannot be written to link, which is no file."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]
    assert (tmp_path / "pipe").is_fifo()


def test_snapshot_to_one_place_from_many_threads(tmp_path):
    in_python(tmp_path, """
        import memwhy, threading
        def write():
            try:
                for _ in range(20):
                    memwhy.snapshot_to("x.memwhy")
            except OSError as error:
                errors.append(error)
        errors = []
        memwhy.start()
        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == [], errors
        """)
    assert len(read(tmp_path / "x.memwhy")["snapshots"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.memwhy"]
