# SPDX-License-Identifier: MIT
"""Measures memwhy beside the untraced interpreter, the standard tracemalloc and memray.

    python bench/run.py                        all of it, into bench/results (half an hour)
    python bench/run.py --quick                a tenth of it, in three minutes
    python bench/run.py --quick --only json,tree --columns untraced,exact
    python bench/run.py --other DIRECTORY …    one more column: the memwhy of that directory

Every figure comes from a process of its own, in turns by column, so that a noisy moment
of the machine hits all alike; medians count.  Ratios travel between machines, seconds do
not.  Only a whole run is written to bench/results/<interpreter>.json; any other goes to
the file that --output names (build/bench.json).
"""
import argparse
import json
import os
import pathlib
import sys

import captures
import columns
import jobs
import heaps
import instructions
import object_graph
import pairs
import pyperformance_suite
import snapshots
import sources
import suite

PARTS = {"suite": suite, "pairs": pairs, "instructions": instructions, "heaps": heaps,
         "snapshots": snapshots, "sources": sources}
# Only when it is asked for, and into results of its own: what takes long, and what takes a
# quiet machine whole.
ALONE = {"captures": captures, "objects": object_graph, "pyperformance": pyperformance_suite}


def interpreter():
    """What the results of this interpreter are called: cpython-3.11.2."""
    name = sys.implementation.name
    return f"{name}-{sys.version.split()[0].rstrip('+')}"


def words(text):
    return text.split(",")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, three times")
    parser.add_argument("--scale", type=float, help="how much of each program is run (1)")
    parser.add_argument("--repeat", type=int, help="how often, instead of 5 and 3 times")
    parser.add_argument("--parts", type=words, default=list(PARTS), help=",".join(PARTS | ALONE))
    parser.add_argument("--only", type=words, help="programs of the suite, by name")
    parser.add_argument("--columns", type=words, help=",".join(columns.MAKERS))
    parser.add_argument("--other", help="a directory with another build's package memwhy")
    parser.add_argument("--lines", help="a directory with memwhy built with line numbers")
    parser.add_argument("--captures", help="bench/capture_bench.c, built")
    parser.add_argument("--output", type=pathlib.Path, help="where the JSON goes")
    options = parser.parse_args(arguments)
    options.whole = not (options.quick or options.scale or options.repeat or options.only
                         or options.columns or options.other
                         or options.parts not in (list(PARTS), *([name] for name in ALONE)))
    if options.columns is None:
        options.columns = [name for name in columns.MAKERS if name != "other"]
        if options.quick:
            options.columns = ["untraced", "exact", "sampled", "tracemalloc1"]
    if options.other:
        options.other = os.path.abspath(options.other)
        options.columns.append("other")
    if options.lines:
        options.lines = os.path.abspath(options.lines)
    options.scale = options.scale or (0.1 if options.quick else 1.0)
    options.repeat = options.repeat or (3 if options.quick else None)
    return options


def where(options):
    if options.output:
        return options.output
    if options.whole:
        alone = "" if options.parts == list(PARTS) else "." + options.parts[0]
        return jobs.HERE / "results" / f"{interpreter()}{alone}.json"
    return jobs.TREE / "build" / "bench.json"


def main(arguments=None):
    options = parse(arguments)
    runner = jobs.Runner(options.other, options.lines)
    results = {"machine": jobs.machine(runner), "command": " ".join(["run.py", *sys.argv[1:]])}
    for name in options.parts:
        part = (PARTS | ALONE)[name]
        results[name] = part.run(runner, options)
        print(part.show(results[name]), flush=True)
    results["machine"]["load_after"] = jobs.rounded(os.getloadavg()[0])
    # Relative to this tree: where it lies is nobody's business.
    results["builds"] = {column: build | {"path": os.path.relpath(build["path"], jobs.TREE)}
                         for column, build in runner.builds.items()}
    results["skipped"] = runner.skipped
    output = where(options)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {output}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except jobs.WrongBuild as reason:
        sys.exit(f"bench/run.py: {reason}")
