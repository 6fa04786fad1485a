# SPDX-License-Identifier: MIT
"""Part "suite": the time of programs that allocate, as a multiple of the untraced.

Slow columns run a smaller piece of each program, and are divided by the untraced time of
the same piece.
"""
import statistics

import jobs
import workloads
from tables import ratio, table

# Column → the piece of the program that it runs, and how often at full scale.
PIECES = {
    "untraced": (1.0, 5),
    "exact": (1.0, 5),
    "other": (1.0, 5),
    "sampled": (1.0, 5),
    "tracemalloc1": (0.2, 3),
    "tracemalloc25": (0.05, 3),
    "memray": (0.2, 3),
}
WITH_SPREAD = ("exact", "other", "sampled")
TABLES = {"suite": "the suite", "shapes": "shapes of stacks",
          "strangers": "programs nobody tuned for"}


def cell(name, column, scale, repeats):
    return {"kind": "workloads", "column": column, "repeats": repeats,
            "arguments": {"name": name, "scale": scale}}


def cells_of(name, options):
    """The cells of one program: each column, and the untraced at each column's piece."""
    wanted = [column for column in PIECES if column in options.columns]
    pieces = sorted({PIECES[column][0] for column in wanted} | {1.0}, reverse=True)
    for piece in pieces:
        repeats = options.repeat or PIECES["untraced"][1]
        yield cell(name, "untraced", piece * options.scale, repeats)
        for column in wanted:
            if column != "untraced" and PIECES[column][0] == piece:
                repeats = options.repeat or PIECES[column][1]
                yield cell(name, column, piece * options.scale, repeats)


def run(runner, options):
    """{program: {column: {"scale", "cpu": […], "wall": […]}}}, the untraced once for each
    scale as "untraced@scale"."""
    names = [name for name in workloads.names() if not options.only or name in options.only]
    cells = [each for name in names for each in cells_of(name, options)]
    found = {name: {} for name in names}
    for each in runner.interleave(cells, lambda n: jobs.progress(f"suite, round {n + 1}")):
        scale = each["arguments"]["scale"]
        key = f"untraced@{scale:g}" if each["column"] == "untraced" else each["column"]
        found[each["arguments"]["name"]][key] = {
            "scale": scale, "cpu": jobs.samples(each, "cpu"), "wall": jobs.samples(each, "wall")}
    return {"programs": found}


def compared(of, column, clock="cpu"):
    """The ratio of medians to the untraced, and the least and largest of single rounds."""
    if column not in of:
        return None
    traced = of[column][clock]
    untraced = of[f"untraced@{of[column]['scale']:g}"][clock]
    rounds = [a / b for a, b in zip(traced, untraced)]
    return statistics.median(traced) / statistics.median(untraced), min(rounds), max(rounds)


def geometric_mean(programs, column, clock="cpu"):
    found = [compared(of, column, clock) for of in programs.values()]
    found = [each[0] for each in found if each]
    return statistics.geometric_mean(found) if found else None


def columns_in(programs):
    return [column for column in PIECES if any(column in of for of in programs.values())]


def spread(found):
    return f"{ratio(found[1])}–{ratio(found[2])}" if found else "–"


def one_table(title, programs):
    shown = columns_in(programs)
    rows = []
    for name, of in programs.items():
        scale = max((key for key in of if key.startswith("untraced@")),
                    key=lambda key: of[key]["scale"])
        row = [name.replace("_", " "), f"{statistics.median(of[scale]['cpu']):.2f} s"]
        for column in shown:
            found = compared(of, column)
            row.append(ratio(found[0] if found else None))
            if column in WITH_SPREAD:
                row.append(spread(found))
        rows.append(row)
    mean = ["**geometric mean**", ""]
    for column in shown:
        mean.append(f"**{ratio(geometric_mean(programs, column))}**")
        if column in WITH_SPREAD:
            mean.append("")
    heads = [title, "untraced"]
    for column in shown:
        heads += [column, "rounds"] if column in WITH_SPREAD else [column]
    return table(heads, [*rows, mean])


def show(result):
    """The tables, in Markdown."""
    text = ""
    for of, title in TABLES.items():
        programs = {name: result["programs"][name] for name in workloads.names(of)
                    if name in result["programs"]}
        if programs:
            text += one_table(title, programs) + "\n"
    wall = [f"{column} {ratio(geometric_mean(result['programs'], column, 'wall'))}"
            for column in columns_in(result["programs"])]
    return text + "Geometric mean over all of these by the clock instead: " + ", ".join(wall) + ".\n"
