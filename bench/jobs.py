# SPDX-License-Identifier: MIT
"""Runs jobs (see measure.py) so that their figures compare.

Every job has a process of its own, on one CPU, with the same arguments, the same short
environment, the same hash seed, and without address space randomisation where that can be
had.  Nothing is measured before it is certain which build of memwhy answers: it must be
the one that was built from this tree, after its newest source.
"""
import contextlib
import ctypes
import filecmp
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import time

import columns

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent

ADDR_NO_RANDOMIZE = 0x0040000   # <sys/personality.h>


class WrongBuild(Exception):
    """What would be measured is not what was built here."""


def without_randomisation():
    """Whether our children will have the same address space each time."""
    libc = ctypes.CDLL(None, use_errno=True)
    now = libc.personality(0xFFFFFFFF)
    return now != -1 and libc.personality(now | ADDR_NO_RANDOMIZE) != -1


def quietest_cpu():
    """The last CPU that we may use: the first serves most interrupts."""
    return max(os.sched_getaffinity(0))


def newest_source():
    files = [TREE / "meson.build"]
    files += [path for room in ("src", "include") for path in (TREE / room).rglob("*.[ch]")]
    return max(path.stat().st_mtime for path in files)


def check_build(extension):
    """Raises WrongBuild unless [extension] was made from this tree as it now is."""
    package = extension.parent
    if extension.stat().st_mtime < newest_source():
        raise WrongBuild(f"{extension} is older than the sources: make build")
    for source in (TREE / "python/memwhy").glob("*.py"):
        if not filecmp.cmp(source, package / source.name, shallow=False):
            raise WrongBuild(f"{package / source.name} differs from {source}: make build")


class Failed(Exception):
    """A job's process failed; the text is the end of what it said."""


class Runner:
    """Runs jobs; remembers which columns cannot be had, and says so once."""

    def __init__(self, other=None, lines=None):
        self.directories = {"other": other, "lines": lines}
        self.skipped = {}
        self.builds = {}
        self.randomised = not without_randomisation()
        self.cpu = quietest_cpu()
        os.sched_setaffinity(0, {self.cpu})

    def environment(self, column):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR")
                if name in os.environ}
        # All as long as the other's, so that stacks begin at the same place.
        path = self.directories.get(column) or "/" + "." * len(self.directories["other"] or "")
        return kept | {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONPATH": path}

    def run(self, kind, column, arguments, prefix=(), timeout=None):
        """The job's answer, or None when [column] cannot be had."""
        if column in self.skipped:
            return None
        job = json.dumps({"kind": kind, "column": column, "arguments": arguments})
        out = self.process([*prefix, sys.executable, str(HERE / "measure.py")], job,
                           self.environment(column), timeout)
        answer = json.loads(out)
        if "unavailable" in answer:
            self.skip(column, answer["unavailable"])
            return None
        self.same_build(column, answer.pop("build"))
        return answer

    def process(self, command, job, environment, timeout):
        """What the job printed; it and all that it started are gone when this returns."""
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, cwd=HERE, env=environment,
                                 start_new_session=True)
        try:
            out, err = child.communicate(job, timeout)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if child.returncode != 0:
            raise Failed(f"{job} ended with {child.returncode}:\n{err[-2000:]}")
        return out

    def skip(self, column, reason):
        self.skipped[column] = reason
        print(f"left out: {column}: {reason}", file=sys.stderr)

    def same_build(self, column, build):
        """The first answer of a column is checked and printed; the others must equal it."""
        if column not in columns.OURS:
            return
        if build is None:
            raise WrongBuild(f"{column} ran without memwhy")
        if column not in self.builds:
            directory = self.directories.get(column)
            if directory and not build["path"].startswith(os.path.abspath(directory)):
                raise WrongBuild(f"{column} is {directory}, but {build['path']} was imported")
            if column != "other":
                check_build(pathlib.Path(build["path"]))
            print(f"{column}: memwhy {build['version']}, {build['path']}", file=sys.stderr)
            self.builds[column] = build
        if self.builds[column] != build:
            raise WrongBuild(f"{self.builds[column]} became {build}")

    def interleave(self, cells, say=None):
        """Runs each cell, a dict of kind, column, repeats and arguments, as often as it
        says: all once, then all that want it twice a second time, and so on.  Adds each
        answer to the cell's list "answers"; cells that cannot be had are left out."""
        for round_ in range(max((cell["repeats"] for cell in cells), default=0)):
            if say:
                say(round_)
            for cell in cells:
                if round_ < cell["repeats"]:
                    answer = self.run(cell["kind"], cell["column"], cell["arguments"])
                    if answer is not None:
                        cell.setdefault("answers", []).append(answer)
        return [cell for cell in cells if "answers" in cell]


def rounded(value):
    """Five digits of a figure: no clock here has more."""
    return float(f"{value:.5g}") if isinstance(value, float) else value


def samples(cell, key):
    return [rounded(answer[key]) for answer in cell["answers"]]


def median(values):
    return rounded(statistics.median(values))


def progress(what):
    """Says aloud where a long run is."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def first_line(command):
    """What [command] prints first; None where there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=TREE)
    except OSError:
        return None
    return done.stdout.strip().partition("\n")[0] if done.returncode == 0 else None


def commit():
    """Which commit is measured; "+" when the sources differ from it."""
    if "MEMWHY_COMMIT" in os.environ:
        return os.environ["MEMWHY_COMMIT"]
    name = first_line(["git", "rev-parse", "--short=12", "HEAD"])
    if name is None:
        return "unknown"
    changed = first_line(["git", "status", "--porcelain", "src", "include", "python",
                          "meson.build"])
    return name + ("+" if changed else "")


def distribution():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return "unknown"


def machine(runner):
    """Where this is measured, and with what."""
    model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": round(memory / 2**30),
            "kernel": platform.release(), "system": distribution(),
            "python": sys.version, "python_path": sys._base_executable,
            "compiler": first_line([os.environ.get("CC", "cc"), "--version"]),
            "pinned_to_cpu": runner.cpu, "randomised_addresses": runner.randomised,
            "commit": commit(), "date": time.strftime("%Y-%m-%d"),
            "load_before": rounded(os.getloadavg()[0])}
