# SPDX-License-Identifier: MIT
"""Part "captures": files and what is read from them, beside memray's of the same program.

Each program runs once for each tool, with a snapshot a second in ours; then each report is
made three times, in turns.  And a made-up capture of 100,000 sites and 1,000 snapshots,
where bench/capture_bench.c has been built (--captures, as `make bench` does).
"""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import jobs
from tables import seconds, table

PROGRAMS = {"json": 6.0, "tree": 4.0, "parsers": 6.0, "mixed": 3.0}    # name → scale
REPEATS = 3


class Tool:
    """How a tool is called: to capture, and to report as text and as a page."""

    def __init__(self, name, extension, capture, text, page):
        self.name, self.extension = name, extension
        self.capture, self.text, self.page = capture, text, page


def ours():
    command = str(pathlib.Path(sys.executable).with_name("memwhy"))
    return Tool("memwhy", ".memwhy",
                lambda file: [command, "run", "--every", "1s", "--peak", "-o", file],
                lambda file: [command, "report", file],
                lambda file, page: [command, "report", file, "--html", page])


def memray():
    command = [sys.executable, "-m", "memray"]
    return Tool("memray", ".bin",
                lambda file: [*command, "run", "--quiet", "--trace-python-allocators", "-o", file],
                lambda file: [*command, "stats", file],
                lambda file, page: [*command, "flamegraph", "-f", "-o", page, file])


def tools(runner):
    yield ours()
    if importlib.util.find_spec("memray") is None:
        runner.skip("memray's captures", "memray is not there")
        return
    yield memray()


def call(command):
    """Seconds by the clock, and the most that was resident, in KiB; the command succeeds."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise jobs.Failed(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss


def median_call(command):
    answers = [call(command) for _ in range(REPEATS)]
    return {"seconds": jobs.median([answer[0] for answer in answers]),
            "resident_kib": max(answer[1] for answer in answers)}


def has_page(tool, file, page):
    """Whether this build has pages: one that was made without node has none."""
    tried = subprocess.run(tool.page(file, page), capture_output=True, text=True)
    return "has no page" not in tried.stderr


def measure_page(tool, file, page):
    if not has_page(tool, file, page):
        return {}
    return {"page": median_call(tool.page(file, page)), "page_bytes": os.path.getsize(page)}


def measure_program(name, scale, tool, directory):
    file = os.path.join(directory, f"{name}{tool.extension}")
    page = os.path.join(directory, "page.html")
    script = [str(jobs.HERE / "captured.py"), name, str(scale)]
    run_seconds, _ = call([*tool.capture(file), *script])
    return {"run_seconds": jobs.rounded(run_seconds), "bytes": os.path.getsize(file),
            "text": median_call(tool.text(file))} | measure_page(tool, file, page)


def measure_large(builder, directory):
    """The made-up capture, through the command."""
    file = os.path.join(directory, "large.memwhy")
    subprocess.run([builder, file], check=True, stdout=subprocess.DEVNULL)
    tool = ours()
    page = os.path.join(directory, "page.html")
    return {"bytes": os.path.getsize(file),
            "text": median_call(tool.text(file))} | measure_page(tool, file, page)


def run(runner, options):
    if "exact" not in options.columns:
        return {}
    found = {"programs": {}}
    with tempfile.TemporaryDirectory() as directory:
        for tool in tools(runner):
            for name, scale in PROGRAMS.items():
                jobs.progress(f"captures, {tool.name}, {name}")
                found["programs"].setdefault(name, {})[tool.name] = measure_program(
                    name, scale * options.scale, tool, directory)
        if options.captures:
            jobs.progress("captures, 100,000 sites")
            found["large"] = measure_large(os.path.abspath(options.captures), directory)
    return found


# ── the tables ─────────────────────────────────────────────────────────────────────────


def size(count):
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} B"


def row_of(name, tool, of):
    page = ([seconds(of["page"]["seconds"]), size(of["page_bytes"])] if "page" in of
            else ["–", "–"])
    return [name, tool, seconds(of["run_seconds"]), size(of["bytes"]),
            seconds(of["text"]["seconds"]), size(of["text"]["resident_kib"] * 1024), *page]


def show(result):
    if not result:
        return ""
    rows = [row_of(name, tool, of) for name, tools_of in result["programs"].items()
            for tool, of in tools_of.items()]
    text = table(["program", "tool", "traced run", "capture", "report", "its memory", "page",
                  "page's size"], rows)
    if "large" in result:
        of = result["large"]
        text += (f"\n100,000 sites and 1,000 snapshots, {size(of['bytes'])}: `memwhy report` "
                 f"{seconds(of['text']['seconds'])} and "
                 f"{size(of['text']['resident_kib'] * 1024)}")
        if "page" in of:
            text += (f", with `--html` {seconds(of['page']['seconds'])} and "
                     f"{size(of['page']['resident_kib'] * 1024)}")
        text += ".\n"
    return text
