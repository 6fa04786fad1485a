# SPDX-License-Identifier: MIT
"""The formats of reports, read by other people's readers: what they say is the same to the
byte, and hostile names do no harm.

Three views are drawn by the unit tests (tests/unit/report_views.h, tests/golden/report_*);
the others are of snapshots that are made here.
"""

import collections
import csv
import gzip
import io
import json
import random
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import memwhy
import memwhy.tracemalloc as ours
from memwhy import _memwhy

from reference import read_pprof

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
EXTENSIONS = dict(_memwhy._formats())
VIEWS = ("shop", "change", "hostile")
# What the views hold: bytes and blocks, now and before.
SHOP, OLDER, HOSTILE = (48325, 212), (22048, 97), (1234, 10)

go = pytest.mark.skipif(shutil.which("go") is None, reason="no go here, so no `go tool pprof`")
graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="no graphviz here")


def golden(view, form):
    """The golden file's bytes; pprof's is kept as it is before it is compressed."""
    return (GOLDEN / f"report_{view}{'.pb' if form == 'pprof' else EXTENSIONS[form]}").read_bytes()


def render(snapshot, form, older=None):
    return _memwhy._render(snapshot, form, older)


# ── other people's readers ────────────────────────────────────────────────────────────

def read_csv(data):
    """Rows as dicts, by Python's csv in its strict mode."""
    text = data.decode()
    assert text.count("\r\n") == text.count("\n") == text.count("\r")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def read_collapsed(data):
    """{stack: counts}, as flamegraph.pl and difffolded.pl take lines apart."""
    stacks = {}
    for line in data.decode().splitlines():
        match = re.fullmatch(r"(.*?)((?: \d+)+)", line)
        stack = tuple(match[1].split(";"))
        assert stack not in stacks
        stacks[stack] = tuple(map(int, match[2].split()))
    return stacks


def validator(path):
    fastjsonschema = pytest.importorskip("fastjsonschema", reason="no fastjsonschema here")
    return fastjsonschema.compile(json.loads(path.read_text()))


@pytest.fixture(scope="module")
def valid_speedscope():
    return validator(GOLDEN / "speedscope.schema.json")


@pytest.fixture(scope="module")
def valid_report():
    return validator(ROOT / "docs" / "report.schema.json")


def read_dot(data):
    """Graph, nodes and edges, as graphviz understands them."""
    printed = subprocess.run(["dot", "-Tdot_json"], input=data, capture_output=True, check=True)
    assert printed.stderr == b""
    graph = json.loads(printed.stdout)
    return graph, graph.get("objects", []), graph.get("edges", [])


def unescaped(name):
    """A name as it was before it was put on one line."""
    def character(match):
        one = match[1]
        return {"n": "\n", "\\": "\\"}.get(one) or chr(int(one[1:], 16))
    return re.sub(r"\\(\\|n|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})", character, name)


# ── what each format says in total: (bytes, blocks), blocks None where it has none ────

def csv_totals(data):
    rows = [row for row in read_csv(data) if row["live_bytes"] != ""]
    return tuple(sum(int(row[key]) for row in rows) for key in ("live_bytes", "live_blocks"))


def csv_change(data):
    return tuple(sum(int(row[key]) for row in read_csv(data))
                 for key in ("bytes_change", "blocks_change"))


def json_totals(data):
    report = json.loads(data)
    columns = report["columns"]["sites"]
    sums = tuple(sum(site[columns.index(key)] for site in report["sites"])
                 for key in ("bytes", "blocks"))
    assert sums == (report["totals"]["bytes"], report["totals"]["blocks"])
    for rows in report["rows"].values():
        rounding = len(rows) + len(report["sites"]) if report["sample_bytes"] else 0
        assert abs(sums[0] - sum(row["bytes"] for row in rows)) <= rounding
        assert abs(sums[1] - sum(row["blocks"] for row in rows)) <= rounding
    return sums


def json_change(data):
    report = json.loads(data)
    changes = {(sum(row["bytes_change"] for row in rows), sum(row["blocks_change"] for row in rows))
               for rows in report["rows"].values()}
    (change,) = changes
    assert change[0] == report["totals"]["bytes"] - report["totals"]["older_bytes"]
    assert report["totals"]["older_bytes"] == sum(site[5] for site in report["older_sites"])
    return change


def speedscope_totals(data, profile=0):
    one = json.loads(data)["profiles"][profile]
    assert len(one["samples"]) == len(one["weights"]) and one["unit"] == "bytes"
    assert one["endValue"] - one["startValue"] == sum(one["weights"])
    return sum(one["weights"]), None


def collapsed_totals(data):
    return sum(counts[-1] for counts in read_collapsed(data).values()), None


def pprof_totals(data):
    profile = read_pprof.read(data)
    bytes_at = profile["types"].index(("inuse_space", "bytes"))
    blocks_at = profile["types"].index(("inuse_objects", "count"))
    samples = [values for _, values, labels in profile["samples"] if "pprof::base" not in labels]
    return sum(one[bytes_at] for one in samples), sum(one[blocks_at] for one in samples)


def pprof_change(data):
    values = [values[-1::-1][:2] for _, values, _ in read_pprof.read(data)["samples"]]
    return tuple(map(sum, zip(*values)))


TOTALS = {"csv": csv_totals, "json": json_totals, "speedscope": speedscope_totals,
          "collapsed": collapsed_totals, "pprof": pprof_totals}


def check_totals(data_of, expected):
    for form, totals in TOTALS.items():
        size, count = totals(data_of(form))
        assert (size, count or expected[1]) == expected, form


# ── the golden views ──────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("view,expected", [("shop", SHOP), ("change", SHOP), ("hostile", HOSTILE)])
def test_formats_agree_to_the_byte(view, expected):
    check_totals(lambda form: golden(view, form), expected)


def test_formats_agree_about_a_change():
    change = (SHOP[0] - OLDER[0], SHOP[1] - OLDER[1])
    assert csv_change(golden("change", "csv")) == change
    assert json_change(golden("change", "json")) == change
    assert pprof_change(golden("change", "pprof")) == change
    assert speedscope_totals(golden("change", "speedscope"), profile=1) == (OLDER[0], None)
    counts = read_collapsed(golden("change", "collapsed")).values()
    assert tuple(map(sum, zip(*counts))) == (OLDER[0], SHOP[0])


@pytest.mark.parametrize("view", VIEWS)
def test_speedscope_keeps_to_its_published_schema(view, valid_speedscope):
    file = json.loads(golden(view, "speedscope"))
    valid_speedscope(file)
    for profile in file["profiles"]:
        frames = {frame for sample in profile["samples"] for frame in sample}
        assert frames <= set(range(len(file["shared"]["frames"])))


@pytest.mark.parametrize("view", VIEWS)
def test_json_keeps_to_its_schema(view, valid_report):
    report = json.loads(golden(view, "json"))
    valid_report(report)
    for name, columns in report["columns"].items():
        assert all(len(row) == len(columns) for row in report[name])
    assert all(caller < path or path == 0 for path, (caller, _) in enumerate(report["paths"]))


def test_schema_refuses_what_is_wrong(valid_report):
    report = json.loads(golden("shop", "json"))
    del report["totals"]["blocks"]
    with pytest.raises(ValueError, match="blocks"):
        valid_report(report)


def test_pprof_has_labels_types_and_lines():
    profile = read_pprof.read(golden("shop", "pprof"))
    assert profile["types"] == [("alloc_objects", "count"), ("alloc_space", "bytes"),
                                ("inuse_objects", "count"), ("inuse_space", "bytes")]
    assert profile["default"] == "inuse_space" and profile["period"] == 1
    assert profile["time_nanos"] == 1_700_000_020_000_000_000
    assert profile["duration_nanos"] == 20_000_000_000
    assert "Visits.record holds two thirds of it." in profile["comments"]
    assert "command: python app.py --port 8080" in profile["comments"]
    (order,) = [one for one in profile["samples"] if "region" in one[2]]
    stack, values, labels = order
    assert stack[0] == ("json.decoder.JSONDecoder.raw_decode", "JSONDecoder.raw_decode",
                        "/usr/lib/python3.11/json/decoder.py", 343, 353)
    assert stack[-1][0] == "__main__.main" and len(stack) == 4
    assert values == (400, 409600, 4, 4096)
    assert labels == {"thread": "MainThread", "region": "checkout", "epoch": 1}
    assert sum(values[1] for _, values, _ in profile["samples"]) == 1504805


def pprof(*arguments):
    printed = subprocess.run(["go", "tool", "pprof", *map(str, arguments)], capture_output=True,
                             text=True)
    assert printed.returncode == 0, printed.stderr
    return printed.stdout


def pprof_flat(*arguments):
    """{function: bytes} of `go tool pprof -top`, and what it calls 100 %."""
    printed = pprof("-top", "-nodefraction=0", "-unit=B", *arguments)
    rows = re.findall(r"^ *(-?\d+)B? +\S+ +\S+ +-?\d+B? +\S+ +(.+)$", printed, re.MULTILINE)
    total = re.search(r"(\d+)B total", printed)
    return {name: int(size) for size, name in rows}, int(total[1])


@go
def test_go_tool_pprof_opens_a_profile():
    flat, total = pprof_flat(GOLDEN / "report_shop.pb")
    assert total == sum(flat.values()) == SHOP[0]
    assert flat["shop.visits.Visits.record"] == 32000
    assert flat["__main__.<module>"] == 3000
    flat, total = pprof_flat("-sample_index=alloc_space", GOLDEN / "report_shop.pb")
    assert total == sum(flat.values()) == 1504805
    flat, _ = pprof_flat("-tagfocus=region=checkout", GOLDEN / "report_shop.pb")
    assert flat["json.decoder.JSONDecoder.raw_decode"] == sum(flat.values()) == 4096
    listed = pprof("-list=Visits.record", GOLDEN / "report_shop.pb")
    assert "/home/me/shop/visits.py" in listed


@go
def test_go_tool_pprof_opens_a_difference():
    flat, total = pprof_flat(GOLDEN / "report_change.pb")
    assert total == OLDER[0]    # percentages are of what there was before
    assert sum(flat.values()) == SHOP[0] - OLDER[0]
    assert flat["shop.cache.put"] == -5000


@go
def test_go_tool_pprof_opens_hostile_names():
    flat, total = pprof_flat(GOLDEN / "report_hostile.pb")
    assert total == sum(flat.values()) == HOSTILE[0]
    raw = pprof("-raw", GOLDEN / "report_hostile.pb")
    assert "new\\nline\\x0d\\n\\x09.py:3" in raw and "\x1b" not in raw


@graphviz
@pytest.mark.parametrize("view,expected", [("shop", SHOP), ("change", SHOP), ("hostile", HOSTILE)])
def test_graphviz_draws_the_call_graph(view, expected):
    graph, nodes, edges = read_dot(golden(view, "dot"))
    assert int(graph["bytes"]) == expected[0]
    assert sum(int(node["self_bytes"]) for node in nodes) == expected[0]
    into = collections.Counter()
    for edge in edges:
        into[edge["head"]] += int(edge["bytes"])
    for node in nodes:
        assert into[node["_gvid"]] <= int(node["bytes"])
    drawn = subprocess.run(["dot", "-Tsvg"], input=golden(view, "dot"), capture_output=True,
                           check=True).stdout.decode()
    assert "<script" not in drawn and "<img" not in drawn and "\x1b" not in drawn


# ── names that break things ───────────────────────────────────────────────────────────

NASTY = ["=1+1", "+a", "-a", "@a", "a;b", "a,b", 'a"b', "a\nb", "a\r\nb", "a\tb", "a\0b", "\udcff",
         "\ud800x", "<b>", "&amp;", "\\", "\\n", "a b 12", "\x1b[31m", "\u2028", "\u202ex", "é", "🐍",
         "</script>", "%s", "{}", "'", "N\\G", " ", "\x7f", "\x85"]


def random_snapshot(seed, count=200):
    """A Snapshot of raw traces, and [(stack, size)], oldest frame first."""
    chance = random.Random(seed)
    names = NASTY + ["".join(chance.choices(NASTY, k=3)) for _ in range(20)]
    raw, blocks = [], []
    for _ in range(count):
        stack = [(chance.choice(names), chance.randrange(4)) for _ in range(chance.randrange(1, 9))]
        size = chance.randrange(1000)
        raw.append((chance.randrange(2), size, tuple(reversed(stack)), len(stack)))
        blocks.append((tuple(stack), size))
    return ours.Snapshot(raw, 10), blocks


def by_stack(blocks):
    sums = collections.Counter()
    for stack, size in blocks:
        sums[stack] += size
    return +sums


def place(text):
    """("a.py", 3) of "a.py:3"."""
    match = re.fullmatch(r"(.*?)(?::(\d+))?", text, re.DOTALL)
    return unescaped(match[1]), int(match[2] or 0)


@pytest.mark.parametrize("seed", range(5))
def test_names_survive_every_format(seed, valid_speedscope, valid_report):
    snapshot, blocks = random_snapshot(seed)
    expected = by_stack(blocks)
    check_totals(lambda form: render(snapshot, form), (sum(expected.values()), 200))

    stacks = read_collapsed(render(snapshot, "collapsed"))
    assert {tuple(map(place, stack)): size for stack, (size,) in stacks.items()} == expected

    rows = read_csv(render(snapshot, "csv"))
    found = collections.Counter()
    for row in rows:
        stack = row["traceback"].removeprefix("'").split(";")
        found[tuple(map(place, stack))] += int(row["live_bytes"])
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())
    assert +found == expected

    profile = read_pprof.read(render(snapshot, "pprof"))
    found = collections.Counter()
    for stack, (_, size), _ in profile["samples"]:
        found[tuple((unescaped(file), line) for _, _, file, _, line in reversed(stack))] += size
    assert +found == expected

    report = json.loads(render(snapshot, "json"))
    valid_report(report)
    found = collections.Counter()
    for site in report["sites"]:
        found[json_stack(report, site[0])] += site[5]
    assert +found == expected

    scope = json.loads(render(snapshot, "speedscope"))
    valid_speedscope(scope)
    frames = [(frame.get("file", ""), frame.get("line", 0)) for frame in scope["shared"]["frames"]]
    (one,) = scope["profiles"]
    found = {tuple(frames[number] for number in sample): weight
             for sample, weight in zip(one["samples"], one["weights"])}
    assert found == expected


def json_stack(report, path):
    stack = []
    while path:
        path, frame = report["paths"][path]
        stack.append((report["strings"][report["frames"][frame][0]], report["frames"][frame][1]))
    return tuple(reversed(stack))


@graphviz
@pytest.mark.parametrize("seed", range(2))
def test_names_survive_graphviz(seed):
    snapshot, blocks = random_snapshot(seed, count=20)     # a tangle takes graphviz minutes
    graph, nodes, _ = read_dot(render(snapshot, "dot"))
    total = sum(size for _, size in blocks)
    assert int(graph["bytes"]) == total
    assert int(graph["hidden_self_bytes"]) + sum(int(node["self_bytes"]) for node in nodes) == total


def test_every_format_is_utf_8_and_of_one_line_per_record():
    snapshot, _ = random_snapshot(7)
    for form in EXTENSIONS:
        if form != "pprof":     # whose strings the reader above decodes strictly
            render(snapshot, form).decode()


# ── differences ───────────────────────────────────────────────────────────────────────

def test_a_difference_is_the_same_in_every_format():
    newer, blocks = random_snapshot(11)
    older, older_blocks = random_snapshot(12)
    before, now = by_stack(older_blocks), by_stack(blocks)
    change = (sum(now.values()) - sum(before.values()), 0)
    assert csv_change(render(newer, "csv", older)) == change
    assert json_change(render(newer, "json", older)) == change
    assert pprof_change(render(newer, "pprof", older)) == change
    counts = read_collapsed(render(newer, "collapsed", older))
    assert {tuple(map(place, stack)): pair for stack, pair in counts.items()} == \
        {stack: (before[stack], now[stack]) for stack in before | now}


def test_nothing_differs_from_itself():
    snapshot, _ = random_snapshot(1)
    assert csv_change(render(snapshot, "csv", snapshot)) == (0, 0)
    assert pprof_change(render(snapshot, "pprof", snapshot)) == (0, 0)
    assert all(before == now
               for before, now in read_collapsed(render(snapshot, "collapsed", snapshot)).values())


# ── a live process ────────────────────────────────────────────────────────────────────

def test_formats_agree_with_tracemalloc_in_the_same_process(untraced):
    memwhy.start()
    kept = [[str(number) for number in range(50)] for _ in range(40)]
    snapshot = memwhy.take_snapshot()
    memwhy.stop()
    expected = (sum(trace.size for trace in snapshot.traces), len(snapshot.traces))
    assert len(kept) == 40 and expected[0] > 40 * 50
    check_totals(lambda form: render(snapshot, form), expected)
    names = {name for _, name, *_ in
             (frame for stack, _, _ in read_pprof.read(render(snapshot, "pprof"))["samples"]
              for frame in stack)}
    assert any("test_formats_agree_with_tracemalloc" in name for name in names)


def test_regions_and_threads_are_labels_and_columns(untraced):
    memwhy.start()
    with memwhy.region("checkout; =1"):
        kept = [bytes(1000 + number) for number in range(100)]
    snapshot = memwhy.take_snapshot()
    memwhy.stop()
    held = sum(map(sys.getsizeof, kept))
    rows = [row for row in read_csv(render(snapshot, "csv")) if row["region"] == "checkout; =1"]
    assert sum(int(row["live_bytes"]) for row in rows) >= held
    assert {row["thread"] for row in rows} == {threading.current_thread().name}
    samples = [one for one in read_pprof.read(render(snapshot, "pprof"))["samples"]
               if one[2].get("region") == "checkout; =1"]
    assert sum(values[1] for _, values, _ in samples) == \
        sum(int(row["live_bytes"]) for row in rows)
    assert all(labels["thread"] == threading.current_thread().name for _, _, labels in samples)
    stacks = read_collapsed(render(snapshot, "collapsed"))
    assert any("checkout\\x3b =1 (<region>)" in stack for stack in stacks)


def test_formats_agree_about_what_samples_stand_for(untraced, valid_report):
    memwhy.start(sample=512)
    kept = [bytes(100 + number % 50) for number in range(20000)]
    snapshot = memwhy.take_snapshot()
    memwhy.stop()
    expected = csv_totals(render(snapshot, "csv"))
    assert 0 < len(snapshot.traces) < 20000 and sum(map(len, kept)) / 2 < expected[0]
    check_totals(lambda form: render(snapshot, form), expected)
    assert read_pprof.read(render(snapshot, "pprof"))["period"] == 512
    report = json.loads(render(snapshot, "json"))
    valid_report(report)
    assert report["sample_bytes"] == 512
    (row, *_) = report["rows"]["line"]
    assert row["bytes_interval"][0] <= row["bytes"] <= row["bytes_interval"][1]


# ── Snapshot.write ────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("form", sorted(TOTALS))
def test_write_takes_the_format_from_the_file_name(tmp_path, form):
    snapshot, blocks = random_snapshot(3)
    path = tmp_path / ("x" + EXTENSIONS[form])
    snapshot.write(path)
    assert TOTALS[form](path.read_bytes())[0] == sum(size for _, size in blocks)
    snapshot.write(str(path) + ".tmp", format=form, older=snapshot)
    assert Path(str(path) + ".tmp").read_bytes() == render(snapshot, form, snapshot)


def test_write_is_compressed_for_pprof(tmp_path):
    snapshot, _ = random_snapshot(3)
    snapshot.write(tmp_path / "x.pb.gz")
    with gzip.open(tmp_path / "x.pb.gz") as file:
        assert len(file.read()) > (tmp_path / "x.pb.gz").stat().st_size


def test_write_says_which_formats_there_are(tmp_path):
    snapshot, _ = random_snapshot(3)
    with pytest.raises(ValueError, match=r"\.pb\.gz.*say which with format="):
        snapshot.write(tmp_path / "x.txt")
    with pytest.raises(ValueError, match="there is no format xml"):
        snapshot.write(tmp_path / "x.csv", format="xml")
    assert list(tmp_path.iterdir()) == []


def test_write_leaves_the_old_file_when_it_fails(tmp_path):
    snapshot, _ = random_snapshot(3)
    path = tmp_path / "x.csv"
    path.write_text("old")
    with pytest.raises(TypeError):
        snapshot.write(path, older=5, format=3)
    with pytest.raises(TypeError):
        snapshot.write(path, older=5)
    assert path.read_text() == "old"
    with pytest.raises(OSError):
        snapshot.write(tmp_path / "none" / "x.csv")
