# SPDX-License-Identifier: MIT
"""`make bench` on a tiny scale, and the page that its results make."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
BENCH = TREE / "bench"

pytestmark = [
    pytest.mark.no_sanitizer("it measures other processes, which are not under it"),
    pytest.mark.no_leak_check("what it starts are other processes"),
]


def run(*arguments, cwd=TREE, timeout=300):
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True,
                          cwd=cwd, timeout=timeout)


def in_bench(code):
    """Runs [code] where the modules of bench/ are; returns what it printed."""
    done = run("-c", code, cwd=BENCH)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_figures_of_the_page_are_those_of_the_results():
    done = run(BENCH / "page.py", "--check")
    assert done.returncode == 0, done.stderr


def test_the_page_changes_with_the_results(tmp_path):
    programs = {"json": {"untraced@1": {"scale": 1, "cpu": [2.0], "wall": [2.0]},
                         "exact": {"scale": 1, "cpu": [2.5], "wall": [2.5]}}}
    (tmp_path / "cpython-3.99.0.json").write_text(json.dumps({"suite": {"programs": programs}}))
    shown = in_bench("import page, pathlib\n"
                     f"results = page.Results(pathlib.Path({str(tmp_path)!r}))\n"
                     "print(page.made('<!-- figures: suite cpython-3.99.0 -->\\n typed by hand\\n'"
                     "'<!-- end of figures -->', results))\n"
                     "print(page.made('<!-- figures: goals -->\\n<!-- end of figures -->', results))")
    assert "typed by hand" not in shown
    assert "| json               |   2.00 s |     1.25 | 1.25–1.25 |" in shown
    assert "1.25, from 3.14 on 1.28 |        1.25 |" in shown


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    output = tmp_path_factory.mktemp("bench") / "results.json"
    done = run(BENCH / "run.py", "--scale", "0.002", "--repeat", "1", "--only", "json,tree",
               "--columns", "untraced,exact,tracemalloc1", "--parts",
               "suite,pairs,heaps,snapshots,sources", "--output", output)
    assert done.returncode == 0, done.stderr
    return done, json.loads(output.read_text())


def test_a_tiny_run_measures_every_part(tiny_run):
    _, results = tiny_run
    assert set(results["suite"]["programs"]) == {"json", "tree"}
    for of in results["suite"]["programs"].values():
        assert of["exact"]["cpu"][0] > 0
        assert of["tracemalloc1"]["cpu"][0] > 0
    assert results["pairs"]["batch of 100"]["exact"][0] > 0
    for heap in results["heaps"].values():
        assert heap["exact"]["blocks"] > 0
        assert heap["exact"]["account"][0] > 0
    assert {row["column"] for row in results["snapshots"]["python"]} == {"exact", "tracemalloc1"}
    assert results["sources"]["distinct"] >= 0


def test_captures_are_made_and_reported(tmp_path):
    output = tmp_path / "results.json"
    done = run(BENCH / "run.py", "--scale", "0.001", "--parts", "captures", "--columns",
               "untraced,exact", "--output", output)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())["captures"]["programs"]
    assert set(found) == {"json", "tree", "parsers", "mixed"}
    for tools in found.values():
        assert tools["memwhy"]["bytes"] > 1000
        assert tools["memwhy"]["text"]["seconds"] > 0
        # A build without node has no pages.
        assert tools["memwhy"].get("page_bytes", 10_001) > 10_000


def test_every_tool_answers_every_question_about_objects():
    shown = in_bench("""
import columns, json, object_graph
for column, tool in object_graph.COLUMNS.items():
    for question in object_graph.QUESTIONS:
        if not hasattr(object_graph.TOOLS[tool], question):
            continue
        try:
            begun = columns.make(column)
        except columns.Unavailable:
            continue
        found = object_graph.measure(begun, "mixed", 2000, question, tool)
        assert found["seconds"] > 0
        print(tool, question, flush=True)
""").split("\n")
    assert {f"memwhy {question}" for question in (
        "types", "growth", "chain", "referrers", "size", "all_sizes", "again")} <= set(shown)
    assert {"gc types", "gc referrers"} <= set(shown)


def test_a_look_at_objects_is_measured_and_shown():
    shown = in_bench("""
import columns, object_graph
looks = {shape: object_graph.measure(columns.make("objects"), shape, 2000, rounds=1)["figures"]
         for shape in object_graph.SHAPES}
questions = {"mixed": {"types": {"memwhy": [1.5], "gc": [0.25], "objgraph": None, "pympler": []}}}
print(object_graph.show({"objects": 2000, "looks": looks, "questions": questions}))
""")
    assert "| each object " in shown and "| counts explained " in shown
    assert "| mixed, 2,000 objects | memwhy |     gc | objgraph | pympler |" in shown
    assert "| objects by type      | 1.50 s | 250 ms |  > 300 s |       – |" in shown


def test_a_run_says_which_build_it_measured(tiny_run):
    done, results = tiny_run
    found = json.loads(in_bench("import json, memwhy\n"
                                "print(json.dumps([memwhy._memwhy.__file__]))"))
    assert found[0] in done.stderr
    assert (BENCH.parent / results["builds"]["exact"]["path"]).resolve() == Path(found[0]).resolve()


def test_a_run_of_another_build_than_it_was_told_stops(tmp_path):
    done = run(BENCH / "run.py", "--scale", "0.001", "--repeat", "1", "--only", "json", "--parts",
               "suite", "--other", tmp_path, "--output", tmp_path / "results.json")
    assert done.returncode != 0
    assert "but " in done.stderr and "was imported" in done.stderr
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize("column", ["exact", "tracemalloc1"])
def test_a_run_whose_tracer_was_off_is_no_figure(column):
    done = run("-c", f"import columns\ncolumns.make({column!r}).end()", cwd=BENCH)
    assert done.returncode != 0
    assert "AssertionError: not traced" in done.stderr


def test_instructions_are_told_by_source_file_and_not_counted_twice():
    text = "\n".join([
        "events: Ir", "", "ob=(1) /x/memwhy/_memwhy.so", "fl=(1) ../src/pyext/hooks.c",
        "fn=(1) obj_malloc", "10 5", "fi=(2) ../src/core/store.h", "20 7", "fe=(1)", "11 3",
        "cob=(2) /usr/bin/python3", "cfi=(3) obmalloc.c", "cfn=(2) pymalloc", "calls=1 30",
        "12 100", "+1 2", "", "ob=(2)", "fl=(3)", "fn=(2)", "30 100", "31"])
    shown = in_bench(f"import instructions, json\nprint(json.dumps(instructions.self_costs({text!r})))")
    assert json.loads(shown) == {"pyext/hooks.c": 10, "core/store.h": 7, "pymalloc": 100}


def test_the_stand_in_for_pyperf_measures_all_kinds_of_benchmarks(tmp_path):
    script = tmp_path / "run_benchmark.py"
    script.write_text(
        "import pyperf\n"
        "async def later(n): return sum(range(n))\n"
        "def timed(loops, n):\n"
        "    started = pyperf.perf_counter()\n"
        "    for _ in range(loops): sum(range(n))\n"
        "    return pyperf.perf_counter() - started\n"
        "if __name__ == '__main__':\n"
        "    runner = pyperf.Runner()\n"
        "    runner.argparser.add_argument('count', type=int)\n"
        "    count = runner.parse_args().count\n"
        "    runner.bench_func('plain', sum, range(count))\n"
        "    runner.bench_time_func('timed', timed, count)\n"
        "    runner.bench_async_func('later', later, count)\n")
    shown = in_bench(
        "import columns, json, pyperformance_suite\n"
        "print(json.dumps(pyperformance_suite.measure(columns.make('untraced'),"
        f"{str(script)!r}, ['50000'], '/none', {{'plain': 3}}, 2)))")
    found = json.loads(shown)
    assert found["loops"]["plain"] == 3
    assert {name: len(times) for name, times in found["times"].items()} == {
        "plain": 2, "timed": 2, "later": 2}
    assert all(time > 0 for times in found["times"].values() for time in times)
