# SPDX-License-Identifier: MIT
"""`memwhy report`: its numbers are the tracer's, its parts add up, and it refuses in a sentence."""
import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli_run import MEMWHY, memwhy, needs_command, plain_environment  # noqa: F401
from processes import environment, python
from reference import read_pprof
from reports import SHOP, as_json, bytes_of, capture, refused, report, start, write

pytestmark = needs_command

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A capture of the shop: (its path, the program's path)."""
    directory = tmp_path_factory.mktemp("shop")
    program = write(directory / "shop.py", SHOP)
    return capture(program, directory / "shop.memwhy"), program


def rows(text):
    """Of a table by line: (size, share, blocks, label) of each row."""
    return [match.groups() for match in
            re.finditer(r"^ *([\d.]+ [KMGT]?i?B) +([\d.]+)% +([\d,]+)  (\S.*)$", text, re.MULTILINE)]


# ── numbers ────────────────────────────────────────────────────────────────────────────

SAME_MOMENT = """
    import json, sys
    import memwhy.tracemalloc as tracemalloc
    import memwhy

    if not tracemalloc.is_tracing():
        tracemalloc.start(25)
    kept = [bytes(1000 + i) for i in range(500)]
    more = {str(i): [i] * 100 for i in range(300)}
    more.update((object(), i) for i in range(50))
    snapshot = tracemalloc.take_snapshot()
    memwhy.snapshot_to(sys.argv[1])
    found = {key: [(s.traceback[0].filename, s.traceback[0].lineno, s.size, s.count)
                   if key == "lineno" else (s.traceback[0].filename, None, s.size, s.count)
                   for s in snapshot.statistics(key)] for key in ("lineno", "filename")}
    json.dump(found, open(sys.argv[2], "w"))
"""


def test_totals_are_those_of_tracemalloc_at_the_same_moment(tmp_path):
    program = write(tmp_path / "same.py", SAME_MOMENT)
    subprocess.run([MEMWHY.with_name("python"), program, tmp_path / "c.memwhy", tmp_path / "t.json"],
                   check=True, timeout=60)
    expected = json.loads((tmp_path / "t.json").read_text())
    found = as_json("report", tmp_path / "c.memwhy")
    # What lies between the two looks is of the lines that look.
    looks = {line for line, text in enumerate(program.read_text().splitlines(), 1)
             if "snapshot" in text or "found" in text}
    lines = {(row["file"], row["line"]): (row["bytes"], row["blocks"])
             for row in found["rows"]["line"]}
    compared = 0
    for file, line, size, count in expected["lineno"]:
        if file == str(program) and line not in looks:
            assert lines[file, line] == (size, count)
            compared += 1
    assert compared == 3
    assert found["totals"]["bytes"] == sum(row["bytes"] for row in found["rows"]["line"])


def test_all_formats_have_the_same_total(shop, tmp_path):
    path, _ = shop
    assert report("--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv", "--collapsed",
                  tmp_path / "a.txt", "--speedscope", tmp_path / "a.speedscope.json", path) == ""
    total = json.loads((tmp_path / "a.json").read_text())["totals"]["bytes"]
    table = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert sum(int(row["live_bytes"]) for row in table) == total
    stacks = (tmp_path / "a.txt").read_text().splitlines()
    assert sum(int(line.rpartition(" ")[2]) for line in stacks) == total
    profile = json.loads((tmp_path / "a.speedscope.json").read_text())["profiles"][0]
    assert sum(profile["weights"]) == total
    head = re.search(r"^Alive at the end, .*?: ([\d.]+ \w+)\s+in", report(path), re.MULTILINE)
    assert abs(bytes_of(head[1]) - total) <= total * 0.01


def test_rows_by_every_key_add_up_to_the_whole(shop):
    path, _ = shop
    whole = as_json("report", path)["totals"]["blocks"]
    for key in ("line", "file", "function", "module", "thread", "domain", "region"):
        table = rows(report("--by", key, path))
        assert sum(int(row[2].replace(",", "")) for row in table) == whole, key


def test_what_died_is_in_the_totals_alone(shop):
    path, program = shop
    lines = program.read_text().splitlines()
    line = next(i for i, text in enumerate(lines, 1) if "bytes(30_000)" in text)
    assert f"shop.py:{line} in churn" not in report("--top", 1000, path)
    churn = next(row for row in rows(report("--total", "--top", 1000, path))
                 if row[3].startswith(f"shop.py:{line} in churn"))
    assert int(churn[2]) >= 50
    assert bytes_of(churn[0]) >= 50 * 30_000 * 0.99


def test_the_line_that_holds_most_comes_first(shop):
    text = report(shop[0])
    assert re.match(r"\d+\.\d% of the \d+ KiB still alive comes from ", text)
    assert "shop.py:9 in Cache.put" in text.partition("\n\n")[0].replace("\n", " ")
    # The import machinery may hold more, and is not to blame.
    first = next(row[3] for row in rows(text) if not row[3].startswith("<frozen"))
    assert "shop.py:9 in Cache.put" in first
    assert "self.items.append(bytes(size))" in text


# ── parts ──────────────────────────────────────────────────────────────────────────────

def total(path, *options):
    return as_json("report", *options, path)["totals"]["bytes"]


def test_parts_add_up(shop):
    path, program = shop
    whole = total(path)
    assert total(path, "--domain", 0) == whole
    assert total(path, "--domain", 5) == 0
    assert total(path, "--region", "<no region>") == whole
    assert total(path, "--only", program) >= total(path, "--only", program.name,
                                                   "--exclude", "threading.py")
    inside = total(path, "--exclude", program.name)
    assert 0 < inside < whole - 15 * 20_000
    # Every thread has a name, so that both together are all.
    assert total(path, "--thread", "*") == whole


def test_a_thread_is_shown_by_its_name(tmp_path):
    program = write(tmp_path / "threads.py", """
        import threading
        kept = []
        def work(): kept.append(bytes(100_000)); memwhy.snapshot_to("t.memwhy")
        import memwhy
        worker = threading.Thread(target=work, name="poller")
        worker.start(); worker.join()
        """)
    subprocess.run([MEMWHY, "run", program], cwd=tmp_path, check=True, capture_output=True,
                   timeout=60)
    text = report("--by", "thread", tmp_path / "t.memwhy")
    assert "  poller\n" in text and "  MainThread\n" in text
    part = total(tmp_path / "t.memwhy", "--thread", "poll*")
    assert 100_000 <= part < 150_000


def test_what_is_shown_is_said(shop):
    text = report("--only", "shop.py", "--exclude", "thr*", shop[0])
    assert re.search(r"^Shown: .* under 'shop.py', not in 'thr\*'\.", text, re.MULTILINE)
    text = report("--only", "nothing*", shop[0])
    assert text.startswith("Nothing that was asked for is still alive.\n")


# ── moments ────────────────────────────────────────────────────────────────────────────

SERIES = """
    import sys, time
    kept = [bytes(50_000)]
    def grow(count):
        for _ in range(count):
            kept.append(bytes(10_000))
    from memwhy import _memwhy
    for turn in range(int(sys.argv[1]) if len(sys.argv) > 1 else 12):
        grow(5)
        time.sleep(0.1)
        if turn % 3 == 2:
            _memwhy._record_now()
    del kept[:1]
"""


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    directory = tmp_path_factory.mktemp("series")
    program = write(directory / "grow.py", SERIES)
    path = capture(program, directory / "grow.memwhy", "--every", "1h", "--peak")
    count = len([point for point in as_json("report", path)["timeline"]["points"]
                 if point["snapshot"] is not None])
    assert count == 5
    return path, count


def test_moments_of_a_series(series):
    path, count = series
    sizes = [total(path, "--at", number) for number in range(count)]
    assert sizes[0] < sizes[1] < sizes[-2]
    assert total(path, "--at", "end") == total(path) == sizes[-1]
    assert total(path, "--at", "start") == sizes[0]
    assert f"(snapshot 1 of 0 to {count - 1})" in report("--at", "#1", path).replace("\n", " ")
    assert "of the" in report("--at", 1, path)


def test_what_was_born_between_two_moments(series):
    path, count = series
    born = total(path, "--between", 0, 1)
    assert 10_000 <= born < total(path, "--at", 1)
    # A block can die in between.
    later = total(path, "--between", 1, "end")
    assert later <= total(path, "--between", 0, "end") <= born + later
    assert "born between" in report("--between", 0, 1, path)


def test_what_was_allocated_between_two_moments(series):
    path, count = series
    allocated = [total(path, "--total", "--at", number) for number in range(count)]
    assert allocated == sorted(allocated) and allocated[0] < allocated[1]
    for first, second in ((0, 1), (1, 2), (0, count - 1)):
        found = total(path, "--total", "--between", first, second)
        assert found == allocated[second] - allocated[first]
        assert found >= total(path, "--between", first, second)


def test_what_is_old(series):
    path, _ = series
    assert total(path, "--older-than", "1h") == 0
    assert 0 < total(path, "--older-than", "200ms") < total(path)
    assert "older than 0.2s" in report("--older-than", "200ms", path)


def test_the_peak(series):
    path, _ = series
    text = report("--peak", path)
    assert "alive at the peak comes from" in text.replace("\n", " ")
    assert total(path, "--peak") >= 50_000 + 10_000 * 12 * 4


def test_a_profile_says_when_it_was(series, tmp_path):
    path, _ = series
    points = [point for point in as_json("report", path)["timeline"]["points"]
              if point["snapshot"] is not None]
    for options, when in [(("--at", 1), points[1]), ((), points[-1])]:
        report(*options, "--pprof", tmp_path / "x.pb.gz", path)
        profile = read_pprof.read((tmp_path / "x.pb.gz").read_bytes())
        assert profile["duration_nanos"] == when["time_ns"]
    report("--peak", "--pprof", tmp_path / "x.pb.gz", path)
    profile = read_pprof.read((tmp_path / "x.pb.gz").read_bytes())
    assert points[-2]["time_ns"] - 10 ** 9 < profile["duration_nanos"] < points[-1]["time_ns"]


LEAK = """
    from memwhy import _memwhy
    kept = []
    for turn in range(40):
        kept.append([bytes(10_000 + i) for i in range(5)])
        _memwhy._record_now()
"""


def test_the_verdict_over_time_comes_first(tmp_path):
    program = write(tmp_path / "leak.py", LEAK)
    path = capture(program, tmp_path / "leak.memwhy", "--every", "1h")
    sentence = memwhy("leaks", path).stdout.replace("\n", " ").partition(". ")[0]
    sentence = sentence.removeprefix("memwhy: ")
    # A comprehension is a function of its own until 3.12.
    assert re.match(r"leak\.py:5 in <(listcomp|module)> leaks ", sentence)
    assert report(path).replace("\n", " ").startswith(sentence)
    assert as_json("report", path)["verdict"].startswith(sentence + ".")
    for options in [("--at", "3"), ("--total",), ("--only", "leak.py")]:
        assert not report(*options, path).replace("\n", " ").startswith(sentence)


def test_without_a_peak_it_says_so(shop):
    assert "--peak" in refused("report", "--peak", shop[0])


# ── other ways to look ─────────────────────────────────────────────────────────────────

def test_a_tree(shop):
    tree = report("--tree", shop[0])
    assert re.search(r"shop\.py:\d+ in <module>\n", tree)
    assert "└ " in tree
    inverted = report("--tree", "--invert", "--depth", 3, "--min-share", "5%", shop[0])
    entries = inverted.partition("its callers below\n")[2].splitlines()
    put = next(i for i, line in enumerate(entries) if line.endswith("shop.py:9 in Cache.put"))
    assert entries[put + 1].strip() == "shop.py:16 in serve"


def test_annotated_source(shop):
    text = report("--source", "shop.py", shop[0])
    assert re.search(r"^ +9 +\d+ KiB +\d+ KiB +\d+  +self\.items\.append\(bytes\(size\)\)$", text,
                     re.MULTILINE)
    assert "threading.py" not in report("--source", "all", shop[0]).partition("\n\n")[2]


# ── ends ───────────────────────────────────────────────────────────────────────────────

def test_a_killed_process_is_said_to_be(tmp_path):
    program = write(tmp_path / "grow.py", SERIES)
    path = tmp_path / "k.memwhy"
    process = start("run", "--every", "1h", "-o", path, program, 1000)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists() and memwhy("report", "--at", 1, path).returncode == 0:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    text = report(path)
    assert "Alive at the last snapshot, " in text
    assert "The process was killed, or was still running." in text or \
        "The file ends in the middle of a record" in text


def test_a_capture_without_its_end_is_shown_up_to_there(series, tmp_path):
    whole = Path(series[0]).read_bytes()
    (tmp_path / "cut.memwhy").write_bytes(whole[:-7])
    text = report(tmp_path / "cut.memwhy")
    assert "The file ends in the middle of a record" in text.replace("\n", " ")


def test_a_sampled_capture_says_about(tmp_path):
    program = write(tmp_path / "shop.py", SHOP.replace("serve(10)", "serve(2000)"))
    environment = {**os.environ, "MEMWHY": f"sample=64K,capture={tmp_path}/s.memwhy"}
    ran = subprocess.run([MEMWHY.with_name("python"), program], env=environment, timeout=60,
                         capture_output=True, text=True)
    if ran.returncode != 0 or not (tmp_path / "s.memwhy").exists():
        pytest.skip("sampled series are not recorded here: " + ran.stderr[-200:])
    text = report(tmp_path / "s.memwhy")
    assert "of about " in text
    assert "Sampled, one block per 64.0 KiB allocated on average" in text.replace("\n", " ")


# ── terminals and pipes ────────────────────────────────────────────────────────────────

def on_terminal(*arguments, **environment):
    """What a command writes to a terminal of 80 columns."""
    leader, follower = pty.openpty()
    variables = {**os.environ, "TERM": "xterm", **environment}
    process = subprocess.Popen([MEMWHY, *map(str, arguments)], stdout=follower, stderr=follower,
                               stdin=subprocess.DEVNULL, env=variables)
    os.close(follower)
    output = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        output += part
    os.close(leader)
    assert process.wait(timeout=30) == 0
    return output.decode()


def test_colour_is_for_terminals(shop):
    path = shop[0]
    assert "\033[1m" in on_terminal("report", path)
    assert "\033" not in on_terminal("report", path, NO_COLOR="1")
    assert "\033" not in on_terminal("report", path, TERM="dumb")
    assert "\033" not in report(path)


def test_lines_keep_to_80_columns(shop):
    for option in ((), ("--by", "file"), ("--tree",), ("--source", "all")):
        for line in report(*option, shop[0]).splitlines():
            assert len(line) <= 80, line


def test_a_closed_pipe_ends_it_quietly(shop):
    process = start("report", "--by", "traceback", "--top", 100000, shop[0])
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait(timeout=30)



def test_output_that_cannot_be_written_is_said(shop):
    path = shop[0]
    with open("/dev/full", "w") as full:
        result = subprocess.run([MEMWHY, "report", path], stdout=full, stderr=subprocess.PIPE,
                                text=True, timeout=60)
    assert result.returncode == 2
    assert result.stderr == "memwhy: cannot write to standard output: No space left on device.\n"
    assert refused("report", "--json", "/dev/full", path) == \
        'memwhy: cannot write "/dev/full": No space left on device.\n'


# ── names of anybody's making ──────────────────────────────────────────────────────────

def test_a_hostile_name_does_no_harm(tmp_path):
    program = write(tmp_path / "a\033]0;x\007|`b`\n<script>.py", SHOP)
    path = capture(program, tmp_path / "h.memwhy")
    for option in ((), ("--tree",), ("--source", "all"), ("--by", "traceback"), ("--by", "module")):
        text = report(*option, path)
        assert "\033" not in text and "\007" not in text
        assert "script" in text or option == ("--by", "module")


def test_a_hostile_name_is_one_sentence(tmp_path):
    assert refused("report", "a\033[31mb\nmemwhy: c") == (
        "memwhy: a?[31mb?memwhy: c: cannot be opened: No such file or directory.\n")


def test_a_hostile_name_of_a_capture_is_shown_without_harm(tmp_path):
    result = memwhy("run", "-o", "a\033[31mb\nc", "-c", "", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr.splitlines()[-1].startswith("The capture is in a?[31mb?c: 1 snapshot, ")


# ── refusals ───────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("arguments, expected", [
    ((), "report wants a capture"),
    (("{capture}", "more"), 'report has no use for "more"'),
    (("--nonsense", "{capture}"), 'report has no option "--nonsense"'),
    (("--by", "size", "{capture}"), "--by takes line, file, function, module, traceback, thread, "
                                    'domain or region, not "size".'),
    (("--at", "soon", "{capture}"), "--at takes a moment"),
    (("--at", "99", "{capture}"), "snapshots have the numbers 0 to 0"),
    (("--at", "3h", "{capture}"), "the capture ends at"),
    (("--between", "0", "{capture}"), "report wants a capture"),
    (("--between", "end", "start", "{capture}"), "--between wants two moments in their order"),
    (("--peak", "--at", "0", "{capture}"), "leave out --at"),
    (("--total", "--older-than", "1s", "{capture}"), "leave out --older-than"),
    (("--older-than", "10", "{capture}"), "--older-than takes a duration"),
    (("--domain", "x", "{capture}"), '--domain takes a domain\'s number, not "x"'),
    (("--min-share", "1", "{capture}"), "--min-share takes a percentage"),
    (("--tree", "--source", "all", "{capture}"), "leave one out"),
    (("--invert", "{capture}"), "--invert goes with --tree"),
    (("--source", "nothing.py", "{capture}"), 'no file of the program is named "nothing.py"'),
    (("--json", "{capture}", "{capture}"), "would overwrite the capture"),
    (("--json", "x", "--csv", "x", "{capture}"), "cannot both be written"),
    (("--json", "/nowhere/x", "{capture}"), "No such file or directory"),
    (("nothing.memwhy",), "No such file or directory"),
    (("{program}",), ""),
    (("/",), ""),
])
def test_what_it_refuses(shop, arguments, expected):
    names = {"{capture}": shop[0], "{program}": shop[1]}
    before = Path(shop[0]).read_bytes()
    assert expected in refused("report", *(names.get(word, word) for word in arguments))
    assert Path(shop[0]).read_bytes() == before


def test_a_file_is_there_whole_or_not_at_all(shop, tmp_path):
    target = tmp_path / "out.json"
    target.write_text("before")
    os.chmod(target, 0o640)
    report("--json", target, shop[0])
    assert json.loads(target.read_text())["format"]
    assert target.stat().st_mode & 0o777 == 0o640
    link = tmp_path / "link.json"
    link.symlink_to(target)
    target.write_text("before")
    report("--json", link, shop[0])
    assert link.is_symlink() and json.loads(target.read_text())["format"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "out.json"]


# ── the page ───────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("command", ["run", "report", "diff", "leaks", "merge", "dump", "doctor"])
def test_the_page_and_the_help_say_the_same(command):
    usage = memwhy("help", command).stdout
    assert usage == memwhy(command, "--help").stdout
    page = (DOCS / f"{command}.md").read_text()
    forms = usage.partition("\n\n")[0].splitlines()
    for form in forms:
        assert form.removeprefix("usage:").strip() in page
    for option in set(re.findall(r"--[a-z-]+", usage)) - {"--help"}:
        assert option in page or option in (DOCS / "report.md").read_text(), option
    for option in set(re.findall(r"`(--[a-z-]+)", page)):
        assert option in usage, option


# ── sampled processes ────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """Blocks that are sampled almost surely, and small ones."""
    directory = tmp_path_factory.mktemp("sampled")
    program = write(directory / "sampled.py", """
        kept = []
        def large():
            kept.append([bytes(3_000_000) for _ in range(10)])
        def small():
            kept.append([bytes(100) for _ in range(20_000)])
        large()
        small()
        """)
    done = python(program, env=environment(MEMWHY="sample=16K,capture=s.memwhy"), cwd=directory)
    assert done.returncode == 0, done.stderr
    return directory / "s.memwhy"


def test_a_sampled_process_has_errors_beside_its_sizes(sampled):
    text = report(sampled)
    head, _, table = text.partition("     size  share       error  line\n")
    assert re.search(r"Sampled, one block per 16\.0 KiB allocated on average: all numbers are "
                     r"estimates\. Together it is [\d.]+ MiB to [\d.]+ MiB with 95% confidence\.",
                     head.replace("\n", " ")), head
    rows = [line for line in table.splitlines() if re.match(r" *[\d.]+ (B|[KM]iB) ", line)]
    assert len(rows) >= 2
    assert all(re.match(r" *[\d.]+ (?:B|[KM]iB) +[\d.]+% +±[\d.]+ (?:B|[KM]iB)  ", row)
               for row in rows), table
    assert all(len(line) <= 80 for line in table.splitlines())
    assert re.search(r"^28\.6 MiB ±[\d.]+ KiB, ", report("--by", "traceback", sampled), re.M)


def test_the_error_of_blocks_that_are_surely_sampled_is_small(sampled):
    found = as_json("report", sampled)
    assert found["sample_bytes"] == 16 << 10
    rows = {row["line"]: row for row in found["rows"]["line"] if row["file"].endswith("sampled.py")}
    large, small = rows[4], rows[6]
    low, high = large["bytes_interval"]
    assert low <= 10 * 3_000_033 <= high
    assert high - low < 400_000
    low, high = small["bytes_interval"]
    assert low < small["bytes"] < high


def test_an_exact_process_has_none(shop):
    assert "±" not in report(shop[0])
    assert all(row["bytes_interval"] is None for row in as_json("report", shop[0])["rows"]["line"])
