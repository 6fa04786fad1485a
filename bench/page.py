# SPDX-License-Identifier: MIT
"""Puts the figures of bench/results/*.json into docs/performance.md.

    python bench/page.py            writes them
    python bench/page.py --check    fails when the page is not what they make

What stands between `<!-- figures: NAME ARGUMENT -->` and `<!-- end of figures -->` is
made here; all else is written by hand.
"""
import json
import pathlib
import re
import statistics
import sys

import captures
import heaps
import instructions as instruction_counts
import jobs
import object_graph
import pairs
import pyperformance_suite
import snapshots
import sources
import suite
import workloads
from tables import ratio, seconds, table

PAGES = [jobs.TREE / "docs/performance.md", jobs.TREE / "README.md"]
RESULTS = jobs.HERE / "results"
PLACE = re.compile(r"(<!-- figures: (.+?) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
ALONE = ("captures", "objects", "pyperformance")    # in results of their own
PARTS = {"suite": suite, "pairs": pairs, "instructions": instruction_counts, "heaps": heaps,
         "snapshots": snapshots, "sources": sources, "captures": captures, "objects": object_graph,
         "pyperformance": pyperformance_suite}


def version_key(name):
    return [int(number) for number in re.findall(r"\d+", name)]


def interpreter_of(name):
    for part in ALONE:
        name = name.removesuffix(f".{part}")
    return name


class Results:
    """The results of every interpreter that there are, oldest first."""

    def __init__(self, directory):
        paths = {path.name.removesuffix(".json"): path for path in directory.glob("*.json")}
        names = sorted({interpreter_of(name) for name in paths}, key=version_key)
        self.of = {}
        self.machines = {}
        for name in names:
            self.of[name] = json.loads(paths[name].read_text()) if name in paths else {}
            if name in paths:
                self.machines[name] = self.of[name]
            for part in ALONE:
                if f"{name}.{part}" in paths:
                    alone = json.loads(paths[f"{name}.{part}"].read_text())
                    self.of[name][part] = alone[part]
                    self.machines[f"{name}, {part}"] = alone


# ── one figure each ────────────────────────────────────────────────────────────────────


def programs_of(result, names):
    programs = result.get("suite", {}).get("programs", {})
    return {name: programs[name] for name in names if name in programs}


def mean_of(result, table_name, column):
    return suite.geometric_mean(programs_of(result, workloads.names(table_name)), column)


def one_of(result, name, column="exact"):
    found = [suite.compared(of, column) for of in programs_of(result, [name]).values()]
    return found[0][0] if found and found[0] else None


def worst_of(result):
    found = {name: suite.compared(of, "exact")
             for name, of in programs_of(result, workloads.names("suite")).items()}
    found = {name: each[0] for name, each in found.items() if each}
    if not found:
        return None
    name = max(found, key=found.get)
    return f"{ratio(found[name])} ({name.replace('_', ' ')})"


def pyperformance_mean(result, column):
    times = result.get("pyperformance", {}).get("times", {}).values()
    found = [pyperformance_suite.ratios(of) for of in times if "untraced" in of]
    found = [of[column] for of in found if column in of]
    return statistics.geometric_mean(found) if found else None


def added_ns(result):
    of = result.get("pairs", {}).get("batch of 100", {})
    if "exact" not in of:
        return None
    return f"{jobs.median(of['exact']) - jobs.median(of['untraced']):.1f}"


def instructions(result):
    of = result.get("instructions", {})
    if "exact" not in of:
        return None
    return f"{sum(of['untraced'].values()):.0f} → {sum(of['exact'].values()):.0f}"


def bytes_per_block(result, heap):
    of = result.get("heaps", {}).get(heap, {})
    return f"{heaps.per_block(of, 'exact')[0]:.1f}" if "exact" in of else None


def at_100_000_sites(result):
    for row in result.get("snapshots", {}).get("python", []):
        if (row.get("lines"), row.get("rounds"), row["column"]) == (5000, 20, "exact"):
            return seconds(jobs.median(row["statistics"]) + jobs.median(row["compare_to"]))
    return None


def scan_ns(result):
    for what, ms in result.get("snapshots", {}).get("c", {}).items():
        if what.startswith("look at every block of "):
            return f"{jobs.median(ms) * 1e6 / int(what.split()[-1]):.1f} ns"
    return None


def against_memray(result):
    ours, theirs = mean_of(result, "suite", "exact"), mean_of(result, "suite", "memray")
    return ratio((ours - 1) / (theirs - 1)) if ours and theirs else None


def ratio_or_none(value):
    return None if value is None else ratio(value)


# What is shown → the goal, and the figure.
GOALS = [
    ("exact, suite, geometric mean", "1.25, from 3.14 on 1.28",
     lambda r: ratio_or_none(mean_of(r, "suite", "exact"))),
    ("exact, the worst of the suite", "1.5, from 3.14 on 1.6", worst_of),
    ("exact, programs nobody tuned for", "", lambda r: ratio_or_none(
        mean_of(r, "strangers", "exact"))),
    ("exact, pyperformance, geometric mean", "1.12",
     lambda r: ratio_or_none(pyperformance_mean(r, "exact"))),
    ("sampled, suite", "1.03", lambda r: ratio_or_none(mean_of(r, "suite", "sampled"))),
    ("sampled, pyperformance", "1.02", lambda r: ratio_or_none(pyperformance_mean(r, "sampled"))),
    ("recursion 60, each level allocates", "1.5", lambda r: ratio_or_none(
        one_of(r, "recursion_60"))),
    ("recursion 60, the leaf allocates", "1.5", lambda r: ratio_or_none(
        one_of(r, "recursion_60_leaf"))),
    ("recursion 200, the leaf allocates", "1.5", lambda r: ratio_or_none(
        one_of(r, "recursion_200_leaf"))),
    ("await 26 deep", "1.6", lambda r: ratio_or_none(one_of(r, "await_26"))),
    ("ns added to a pair, batch of 100", "6", added_ns),
    ("instructions of a pair, untraced → exact", "", instructions),
    ("B per live block, few sites", "4.5", lambda r: bytes_per_block(r, "plain")),
    ("B per live block, rich in sites", "7", lambda r: bytes_per_block(r, "sites")),
    ("B per live block, half freed", "8.5", lambda r: bytes_per_block(r, "half_freed")),
    ("statistics + compare_to, 100,000 sites", "5 ms", at_100_000_sites),
    ("look at every block, each", "5 ns", scan_ns),
    ("our added time / memray's, suite", "0.33", against_memray),
]


# ── the places of the page ─────────────────────────────────────────────────────────────


def figures_goals(results):
    rows = [[what, goal, *(of(result) or "–" for result in results.of.values())]
            for what, goal, of in GOALS]
    return table(["", "goal", *(name.removeprefix("cpython-") for name in results.of)], rows)


def figures_means(results, name):
    """The means of one interpreter's suite, a row for each table of programs."""
    result = results.of.get(name, {})
    shown = suite.columns_in(result.get("suite", {}).get("programs", {}))
    rows = [[title, *(ratio(mean_of(result, of, column)) for column in shown)]
            for of, title in suite.TABLES.items()]
    return table(["", *shown], rows)


def figures_exact(results):
    """The exact column of every program on every interpreter."""
    names = [name for name in workloads.names()]
    rows = [[name.replace("_", " "), *(ratio(one_of(result, name)) for result in
                                       results.of.values())] for name in names]
    return table(["exact / untraced", *(name.removeprefix("cpython-") for name in results.of)],
                 rows)


def figures_machines(results):
    lines = []
    for name, result in results.machines.items():
        if "machine" in result:
            of = result["machine"]
            lines.append(
                f"- {name}: `{of['python_path']}`, {of['python']}, on {of['system']}; commit "
                f"{of['commit']}, {of['date']}, `{result['command']}`; {of['cpu']}, {of['cores']} "
                f"cores, {of['memory_gib']} GiB, Linux {of['kernel']}, {of['compiler']}; load "
                f"before {of['load_before']}, after {of['load_after']}; one CPU, addresses "
                f"{'' if of['randomised_addresses'] else 'not '}randomised."
                + "".join(f" Left out, {column}: {reason}."
                          for column, reason in result["skipped"].items()))
    return "\n".join(lines) + "\n"


def figures_part(results, part, name):
    result = results.of.get(name, {})
    return PARTS[part].show(result[part]) if part in result else "Not measured yet.\n"


def figures(results, request):
    name, *arguments = request.split()
    makers = {"goals": figures_goals, "means": figures_means, "exact": figures_exact,
              "machines": figures_machines}
    if name in makers:
        return makers[name](results, *arguments)
    return figures_part(results, name, *arguments)


def made(text, results):
    """The page's text, with the figures that the results make."""
    return PLACE.sub(lambda place: place[1] + "\n" + figures(results, place[2]) + "\n" + place[3],
                     text)


def main():
    results = Results(RESULTS)
    for page in PAGES:
        text = page.read_text()
        new = made(text, results)
        if new != text and "--check" in sys.argv[1:]:
            sys.exit(f"{page}: the figures are not those of bench/results: make performance-page")
        if new != text:
            page.write_text(new)


if __name__ == "__main__":
    main()
