# SPDX-License-Identifier: MIT
"""Part "heaps": bytes of metadata for each live block.

By RSS: how much more the process grew than the same program untraced.  By account: what
the tracer says of itself.  Both are divided by the blocks that memwhy counts.
"""
import ast
import copy
import gc
import importlib
import pathlib
import resource
import statistics

import jobs
from tables import table

# ── the heaps, at scale 1 ──────────────────────────────────────────────────────────────


def heap_plain(count):
    """Tuples, lists and strings, and their integers: eleven blocks for each of [count]."""
    return [[(i, i + 1) for i in range(count * 2)], [[i] for i in range(count)],
            ["item %d of the heap" % i for i in range(count * 2)]]


def heap_dicts(count):
    return [{"id": i, "next": i + 1} for i in range(count)]


def heap_half_freed(count):
    """Every other block goes again, so that every pool stays, half used."""
    kept = [(i, i + 1) for i in range(count * 2)] + ["item %d" % i for i in range(count * 2)]
    del kept[::2]
    return kept


MODULES = ("asyncio ctypes curses dbm email.mime.text html.parser http.client http.server "
           "idlelib.config importlib.metadata json.tool logging.config multiprocessing.pool "
           "pydoc sqlite3 ssl tkinter turtle unittest.mock urllib.request wsgiref.simple_server "
           "xml.dom.minidom xml.etree.ElementTree xml.sax.expatreader xmlrpc.client zipfile "
           "zoneinfo argparse configparser decimal doctest ftplib imaplib mailbox optparse "
           "pdb pickletools plistlib poplib smtplib statistics tarfile trace typing").split()


def heap_sites(count):
    """Many modules imported, many files parsed and compiled, and some of their trees copied
    by a recursive function, whose every path is another."""
    kept = []
    for name in MODULES:
        try:
            kept.append(importlib.import_module(name))
        except ImportError:     # what a distribution leaves out
            pass
    files = sorted(pathlib.Path(ast.__file__).parent.glob("*.py"))[:count]
    for i, file in enumerate(files):
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source)
        kept += [tree, compile(source, str(file), "exec")]
        if i % 10 == 0:
            kept.append(copy.deepcopy(tree))
    return kept


# Name → the heap's count at scale 1, and what is shown.
HEAPS = {
    "plain": (500_000, "tuples, lists and strings"),
    "dicts": (500_000, "dicts"),
    "half_freed": (600_000, "half freed"),
    "sites": (150, "rich in sites"),
}
COLUMNS = ("untraced", "exact", "other", "sampled", "tracemalloc1")


# ── in the measured process ────────────────────────────────────────────────────────────


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def counted(column):
    """What memwhy knows of the heap beyond its bytes; other tracers are not asked."""
    module = getattr(column, "module", None)
    if not hasattr(module, "get_overhead"):
        return {}
    snapshot = module.take_snapshot()
    return {"blocks": len(snapshot.traces), "parts": module.get_overhead(),
            "tracebacks": len(snapshot.statistics("traceback"))}


def measure(column, heap, count):
    gc.collect()
    column.begin()
    before = resident_bytes()
    kept = globals()["heap_" + heap](count)
    found = {"resident": resident_bytes() - before, "account": column.overhead_bytes()}
    found |= counted(column)
    del kept
    return found | column.end()


# ── in the runner ──────────────────────────────────────────────────────────────────────


def run(runner, options):
    cells = [{"kind": "heaps", "column": column, "repeats": options.repeat or 3,
              "arguments": {"heap": heap, "count": max(2, int(count * options.scale))}}
             for heap, (count, _) in HEAPS.items() for column in COLUMNS
             if column in options.columns or column == "untraced"]
    found = {heap: {} for heap in HEAPS}
    for cell in runner.interleave(cells, lambda n: jobs.progress(f"heaps, round {n + 1}")):
        row = {key: jobs.samples(cell, key) for key in ("resident", "account")}
        for key in ("blocks", "tracebacks", "parts"):
            if key in cell["answers"][0]:
                row[key] = cell["answers"][-1][key]
        found[cell["arguments"]["heap"]][cell["column"]] = row
    return found


# ── tables ─────────────────────────────────────────────────────────────────────────────


def per_block(of, column):
    """Bytes by RSS and by account for each block."""
    blocks = of["exact"]["blocks"]
    grown = statistics.median(of[column]["resident"]) - statistics.median(of["untraced"]["resident"])
    return grown / blocks, statistics.median(of[column]["account"]) / blocks


def show(result):
    known = {heap: of for heap, of in result.items() if "exact" in of}
    if not known:
        return ""
    shown = [column for column in COLUMNS[1:] if any(column in of for of in known.values())]
    rows = []
    for heap, of in known.items():
        row = [HEAPS[heap][1], f"{of['exact']['blocks']:,}", f"{of['exact']['tracebacks']:,}"]
        for column in shown:
            row += [f"{each:.1f}" for each in per_block(of, column)] if column in of else ["–"] * 2
        rows.append(row)
    heads = ["bytes per live block", "blocks", "tracebacks"]
    for column in shown:
        heads += [f"{column}, RSS", "account"]
    return table(heads, rows)
