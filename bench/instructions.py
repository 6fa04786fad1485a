# SPDX-License-Identifier: MIT
"""Part "instructions": those of one allocation and its free, by part, as callgrind counts.

The loop is that of part "pairs", in batches of 100.  With --lines, our own are told by
source file, inlined functions where they were written; all others by function.
"""
import re
import shutil
import tempfile

import jobs
import pairs
from tables import table

COLUMNS = ("untraced", "exact", "other", "sampled", "tracemalloc1")
PAIRS = 200_000

NAMED = re.compile(r"^(ob|fl|fi|fe|fn|cob|cfi|cfl|cfn)=\((\d+)\)(?: (.*))?$")
# Callgrind numbers names by kind: what a record's kind of name is, and what it sets.
KIND = {"ob": "ob", "cob": "ob", "fn": "fn", "cfn": "fn"}
SETS = {"ob": "ob", "fl": "file", "fi": "file", "fe": "file", "fn": "fn"}


def part_of(at):
    """Where an instruction belongs: our own to a source file, where the build has line
    numbers, any other to a function."""
    if "memwhy" in at["ob"] and "/src/" in at["file"]:
        return at["file"].rpartition("/src/")[2]
    return at["fn"]


def self_costs(text):
    """Instructions by part, without what is called, of a file in callgrind's format."""
    names, costs, skip = {}, {}, False
    at = {"ob": "", "file": "", "fn": ""}
    for line in text.splitlines():
        match = NAMED.match(line)
        if match:
            record, number, name = match.groups()
            key = KIND.get(record, "file"), number
            names[key] = name or names[key]
            if record in SETS:
                at[SETS[record]] = names[key]
        elif line.startswith("calls="):
            skip = True
        elif line and line[0] in "0123456789+-*" and at["fn"]:
            _, *cost = line.split()     # trailing zeros are left out
            if cost and not skip:
                part = part_of(at)
                costs[part] = costs.get(part, 0) + int(cost[0])
            skip = False
    return costs


def count_column(runner, column, module):
    """{part: instructions a pair} of batches of 100, dearest first; None without column."""
    count = PAIRS // pairs.SLOW.get(column, 1)
    measured = "lines" if column == "exact" and runner.directories["lines"] else column
    with tempfile.NamedTemporaryFile("r") as file:
        prefix = ["valgrind", "--tool=callgrind", "--toggle-collect=measured_pairs",
                  f"--callgrind-out-file={file.name}"]
        arguments = {"module": module, "kind": "object", "batch": 100, "frames": 1,
                     "pairs": count, "runs": 1}
        if runner.run("pairs", measured, arguments, prefix) is None:
            return None
        costs = self_costs(file.read())
    return {part: jobs.rounded(cost / count) for part, cost in
            sorted(costs.items(), key=lambda item: -item[1]) if cost >= count / 10}


def run(runner, options):
    jobs.progress("instructions")
    if shutil.which("valgrind") is None:
        runner.skip("instructions", "there is no valgrind")
        return {}
    with tempfile.TemporaryDirectory() as directory:
        module = pairs.compile_module(directory)
        found = {column: count_column(runner, column, module) for column in COLUMNS
                 if column in options.columns or column == "untraced"}
    return {column: costs for column, costs in found.items() if costs}


# ── the table ──────────────────────────────────────────────────────────────────────────


def show(counts):
    """The table, in Markdown."""
    if not counts:
        return "Instructions were not counted: there is no valgrind.\n"
    functions = list(dict.fromkeys(name for column in ("untraced", "exact") if column in counts
                                   for name, cost in counts[column].items() if cost >= 0.5))
    shown = list(counts)
    rows = []
    for name in functions:
        rows.append([f"`{name}`", *(f"{counts[c][name]:.1f}" if name in counts[c] else ""
                                    for c in shown)])
    others = [sum(cost for name, cost in counts[c].items() if name not in functions)
              for c in shown]
    if any(others):
        rows.append(["others", *(f"{cost:.1f}" if cost else "" for cost in others)])
    rows.append(["**together**", *(f"**{sum(counts[c].values()):.1f}**" for c in shown)])
    return table(["instructions per pair", *shown], rows)
