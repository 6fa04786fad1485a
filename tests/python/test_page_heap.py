# SPDX-License-Identifier: MIT
"""The page of a capture that holds heaps has what `memwhy heap` says, to the byte."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli_run import memwhy, needs_command, plain_environment, script  # noqa: F401

sys.path.append(str(Path(__file__).parents[1] / "page"))
from page_data import Data  # noqa: E402  (a second reader, written from docs/page.md)

pytestmark = [needs_command, pytest.mark.no_leak_check("runs in processes of its own")]

PROGRAM = """
    class Visit:
        def __init__(self, number):
            self.url = f"/book/{number}"
            self.headers = {"User-Agent": "x" * 100 + str(number)}

    class Link:
        __slots__ = "next", "data"

    VISITS = {number: Visit(number) for number in range(COUNT)}
    SHARED, ALSO = [], []
    for number in range(300):
        both = bytearray(3000)
        SHARED.append(both)
        ALSO.append(both)
    last = None
    for number in range(2000):
        link = Link()
        link.next, link.data, last = last, bytes(200), link
    CHAIN = last
    del last, link, both
"""


def report(directory):
    done = memwhy("report", "app.memwhy", "--html", "page.html", cwd=directory)
    if "node was missing" in done.stderr:
        pytest.skip("memwhy was built without a page: node was missing")
    assert done.returncode == 0, done.stderr
    return Data((directory / "page.html").read_text(encoding="utf-8"))


def page_of(directory, path, *options):
    run = memwhy("run", *options, "-o", "app.memwhy", path, cwd=directory)
    assert run.returncode == 0, run.stderr
    return report(directory)


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """(the page's data, what `memwhy heap --json` says)"""
    directory = tmp_path_factory.mktemp("page")
    path = directory / "app.py"
    path.write_text("\n".join(line[4:] for line in PROGRAM.replace("COUNT", "4000").splitlines()))
    data = page_of(directory, path, "--heap-at-exit")
    answer = memwhy("heap", "--json", "-", "--limit", "1000", "app.memwhy", cwd=directory)
    assert answer.returncode == 0, answer.stderr
    return data, json.loads(answer.stdout)


@pytest.fixture
def heap(captured):
    return captured[0].heaps[0]


def below(heap, number):
    return [row for row in heap["rows"][1:] if row["parent"] == number]


def find(heap, parent, **fields):
    """The number of the row below [parent] that has these fields and retains most."""
    found = [(row["retained"], number) for number, row in enumerate(heap["rows"])
             if number and row["parent"] == parent
             and all(row[name] == value for name, value in fields.items())]
    assert found, (fields, below(heap, parent))
    return max(found)[1]


def test_answers_are_those_of_the_command(captured, heap):
    answer = captured[1]
    assert heap["facts"]["suspects"]["rows"] == answer["suspects"]
    for name, value in answer["summary"].items():
        if name != "analysis_ns":   # each takes its own time
            assert heap["facts"]["summary"][name] == value, name
    assert heap["facts"]["time_ns"] == answer["time_ns"]


def test_tables_are_those_of_the_command(captured, heap):
    data, answer = captured

    def rows(name, key, *fields):
        return [(key(row), *(row[field] for field in fields)) for row in heap[name]]

    def told(name, key, *fields):
        return [(key(row), *(row[field] for field in fields)) for row in answer[name]]
    for name, key, fields in (("types", "type", ("count", "size", "retained")),
                              ("modules", "module", ("count", "retained")),
                              ("held", "type", ("count", "references", "retained"))):
        assert rows(name, lambda row: row["name"], *fields) == told(
            name, lambda row: row[key], *fields), name
        assert heap["facts"]["totals"][name] >= len(answer[name])
    assert rows("lines", lambda row: data.place(row["frame"]), "count", "size", "retained") == told(
        "sites", lambda row: (row.get("file", ""), row.get("line", 0)), "count", "size", "retained")


def test_every_byte_is_in_one_row(heap):
    summary = heap["facts"]["summary"]
    assert sum(row["retained"] for row in below(heap, 0)) == summary["bytes"]
    for number, row in enumerate(heap["rows"]):
        rows = below(heap, number)
        if number and rows:
            assert sum(one["retained"] for one in rows) == row["retained"] - row["size"]


def test_what_the_program_holds_is_where_the_program_has_it(captured, heap):
    data = captured[0]
    module = find(heap, 0, way="sys.modules['__main__']")
    visits = find(heap, module, edge="['VISITS']")
    assert heap["rows"][visits]["text"] == "dict(4000)"
    alike = heap["rows"][find(heap, visits, type="__main__.Visit")]
    assert alike["count"] == 4000 and alike["kind"] == 1
    assert data.place(alike["frame"])[1] == 10
    headers = find(heap, heap["rows"].index(alike), edge=".headers")
    assert heap["rows"][headers]["count"] > 3900     # a few may be of another line
    shared = heap["rows"][find(heap, module, type="bytearray")]
    assert shared["count"] == 300 and shared["joint"] == 1
    row = find(heap, module, edge="['CHAIN']")
    links = 1
    while heap["rows"][row]["kind"] == 0:
        row = find(heap, row, type="__main__.Link")
        links += heap["rows"][row]["count"]
    assert links == 2000


def test_several_heaps_are_there_the_last_one_first(tmp_path, script):
    path = script("""
        import os, signal, time

        kept = []
        for _ in range(2):
            kept.append([str(number) for number in range(20_000)])
            before = os.path.getsize("app.memwhy")
            os.kill(os.getpid(), signal.SIGUSR1)
            while os.path.getsize("app.memwhy") == before:
                time.sleep(0.01)
    """)
    data = page_of(tmp_path, path, "--heap-on-signal", "SIGUSR1")
    assert data.facts["heaps"] == len(data.heaps) == 2
    last, first = data.heaps
    assert last["facts"]["time_ns"] > first["facts"]["time_ns"]
    assert last["facts"]["summary"]["objects"] > first["facts"]["summary"]["objects"] + 15_000


def test_without_a_heap_the_page_is_as_it_was(tmp_path, script):
    data = page_of(tmp_path, script("kept = bytearray(100_000)"))
    assert data.heaps == [] and "heaps" not in data.facts


def test_a_capture_of_objects_alone_is_a_page_too(tmp_path, script):
    program = script("""
        import memwhy

        kept = [str(number) for number in range(20_000)]
        memwhy.heap_to("app.memwhy")
    """)
    subprocess.run([sys.executable, program], cwd=tmp_path, check=True, timeout=60)
    for options in ((), ("--html", "page.html", "--peak"), ("--html", "page.html", "--json", "x")):
        refused = memwhy("report", "app.memwhy", *options, cwd=tmp_path)
        assert refused.returncode == 2
        assert refused.stderr == ('memwhy: "app.memwhy" has a heap and no snapshot: "memwhy heap" tells '
                                  'of it, "memwhy report --html PAGE" shows it.\n')
        assert not (tmp_path / "page.html").exists()
    data = report(tmp_path)
    assert data.rows == 1 and data.facts["states"][0]["bytes"] == 0
    assert "kept" in data.heaps[0]["facts"]["verdict"]


def test_a_large_heap_makes_a_small_page(tmp_path, script):
    data = page_of(tmp_path, script(PROGRAM.replace("COUNT", "40000")), "--heap-at-exit")
    assert data.heaps[0]["facts"]["summary"]["objects"] > 160_000
    assert len(data.heaps[0]["rows"]) <= 20_000
    assert (tmp_path / "page.html").stat().st_size < 1_000_000
