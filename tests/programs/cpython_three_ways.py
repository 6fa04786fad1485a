# SPDX-License-Identifier: MIT
"""Runs CPython's own tests three ways, untraced, traced exactly and traced by samples, and
compares what became of each test.

    cpython_three_ways.py [--jobs N] [--seconds N] [--log DIRECTORY] [file]...

A file is a module of CPython's tests (test_gc); none means all, the most telling first.
Each way is a process of its own, begun by memwhy.pth where it is traced.  A file that
crashes, hangs or takes more than --seconds untraced is left out, a test that fails
untraced likewise; both are listed.  What differs is run again, on both sides: only what
differs twice counts.  Differences that are right are in cpython_known_differences.py,
each with its reason.  The exit status is 1 if any other difference remains.
"""
import argparse
import concurrent.futures
import functools
import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

from cpython_known_differences import reason_for

WAYS = {"untraced": None, "exact": "1", "sampled": "sample=64K"}
SLOWER = 4  # so many times the limit of the untraced side is the limit of a traced one

FIRST = """
    test_gc test_dict test_list test_tuple test_float test_long test_generators test_coroutines
    test_asyncgen test_sys test_sys_settrace test_sys_setprofile test_sys_monitoring
    test_monitoring test_frame test_inspect test_threading test_thread test_fork1
    test_subprocess test_capi test_ctypes test_embed test_faulthandler test_exceptions
    test_traceback test_pickle test_json test_re test_str test_unicode test_io test_zlib
    test_lzma test_sqlite3 test_decimal test_xml_etree test_ast test_compile test_code
    test_import test_importlib test_weakref test_descr test_class test_super test_contextlib
    test_concurrent_futures test_signal test_mmap test_array test_bytes test_memoryview
    test_set test_collections test_itertools test_functools test_typing test_dataclasses
    test_enum test__xxsubinterpreters test__interpreters test_interpreters test_crossinterp
    test_finalization test_type_cache test_opcache test_optimizer test_free_threading
    test_external_inspection test_asyncio
""".split()
LAST = ["test_multiprocessing_fork", "test_multiprocessing_forkserver",
        "test_multiprocessing_spawn", "test_multiprocessing_main_handling", "test_tools",
        "test_idle", "test_peg_generator", "test_lib2to3", "test_zoneinfo"]


# ── one file, one way ─────────────────────────────────────────────────────────────────

def environment_of(way):
    """Ours without what asks Python for something else, and with what asks memwhy."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "MEMWHY"))}
    kept["PYTHONHASHSEED"] = "0"
    if WAYS[way]:
        kept["MEMWHY"] = WAYS[way]
    return kept


def run_to_its_end(command, limit, log, way, directory):
    """The exit status, or None if it took longer: then it and what it began are killed."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, cwd=directory,
                                   env=environment_of(way), start_new_session=True)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def outcomes_in(report):
    """{test: outcome} of a JUnit report; a test that is there twice has both outcomes."""
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcome = " ".join(sorted(kinds)) or case.get("result", "completed")
        outcomes.setdefault(case.get("name", "without a name"), set()).add(outcome)
    return {name: "+".join(sorted(found)) for name, found in outcomes.items()}


class Run:
    """What became of one file, one way: its end and its tests' outcomes."""

    def __init__(self, file, way, limit, options, again=""):
        log = options.log / f"{file}-{way}{again}.log"
        with tempfile.TemporaryDirectory(prefix="three-ways-") as directory:
            report = pathlib.Path(directory, "report.xml")
            command = [sys.executable, "-m", "test", "-v", "--timeout", str(limit),
                       "--tempdir", directory, "--junit-xml", str(report),
                       *(["--testdir", str(options.tests)] if options.tests else []), file]
            began = time.monotonic()
            status = run_to_its_end(command, limit + 15, log, way, directory)
            self.seconds = time.monotonic() - began
            self.outcomes = outcomes_in(report) if report.exists() else {}
            self.end = self._end(status, report.exists(), limit)

    def _end(self, status, has_report, limit):
        if status is None or self.seconds >= limit:
            return "took too long"
        if status < 0:
            return f"ended by {signal.Signals(-status).name}"
        return "ended" if has_report else f"ended without a report, status {status}"


def differences(plain, traced):
    """{test: (outcome untraced, outcome traced)}; "" is the file as a whole."""
    found = {}
    if plain.end != traced.end:
        found[""] = (plain.end, traced.end)
        if not traced.outcomes:
            return found
    for test in plain.outcomes.keys() | traced.outcomes.keys():
        pair = (plain.outcomes.get(test, "absent"), traced.outcomes.get(test, "absent"))
        if pair[0] != pair[1] and not {"failure", "error"} & set(pair[0].split("+")):
            found[test] = pair
    return found


# ── one file, three ways ──────────────────────────────────────────────────────────────

class Verdict:
    """What one file says: why it is left out, or how each traced side differs."""

    def __init__(self, file):
        self.file = file
        self.left_out = None  # why the whole file is
        self.failed = []      # the tests that fail untraced
        self.count = 0        # tests compared
        self.seconds = {}     # by way
        self.new = []         # (way, test, outcome untraced, outcome traced)
        self.known = []       # (way, test, reason)
        self.unsteady = []    # (way, test): differed once, not twice

    def judge(self, way, first, second):
        for test, pair in sorted(first.items()):
            reason = reason_for(self.file, test, way)
            if reason:
                self.known.append((way, test, reason))
            elif test in second:
                self.new.append((way, test, *pair))
            else:
                self.unsteady.append((way, test))

    def line(self):
        if self.left_out:
            return f"{self.file:34} left out: {self.left_out}"
        times = " ".join(f"{seconds:6.1f}" for seconds in self.seconds.values())
        words = [f"{len(found)} {word}" for word, found in
                 [("NEW", self.new), ("known", self.known), ("unsteady", self.unsteady),
                  ("failing untraced", self.failed)] if found]
        return f"{self.file:34} {self.count:6} {times}  {', '.join(words) or 'same'}"


def run_three_ways(file, options):
    verdict = Verdict(file)
    plain = Run(file, "untraced", options.seconds, options)
    verdict.seconds["untraced"] = plain.seconds
    verdict.count = len(plain.outcomes)
    verdict.failed = sorted(test for test, outcome in plain.outcomes.items()
                            if {"failure", "error"} & set(outcome.split("+")))
    if plain.end != "ended" or not plain.outcomes:
        verdict.left_out = plain.end if plain.end != "ended" else "has no tests here"
        return verdict
    for way in ("exact", "sampled"):
        limit = options.seconds * SLOWER
        traced = Run(file, way, limit, options)
        verdict.seconds[way] = traced.seconds
        first = differences(plain, traced)
        if any(not reason_for(file, test, way) for test in first):
            second = differences(Run(file, "untraced", options.seconds, options, "-again"),
                                 Run(file, way, limit, options, "-again"))
        else:
            second = {}
        verdict.judge(way, first, second)
    return verdict


# ── all files ─────────────────────────────────────────────────────────────────────────

def all_files():
    """Those of this Python: FIRST, all others by size, LAST.  (test_tracemalloc measures
    the other tracer, and has a test of its own.)"""
    directory = pathlib.Path(importlib.util.find_spec("test").origin).parent
    found = {path.stem: path for path in directory.glob("test_*")
             if path.suffix == ".py" or (path / "__init__.py").exists()}
    found.pop("test_tracemalloc", None)
    special = set(FIRST) | set(LAST)
    others = sorted(found.keys() - special, key=lambda name: found[name].stat().st_size)
    return [name for name in [*FIRST, *others, *LAST] if name in found]


def known_by_reason(verdicts):
    found = {}
    for verdict in verdicts:
        for way, test, reason in verdict.known:
            name = f"{verdict.file} {way}: {test or 'the file'}"
            found.setdefault(reason, []).append(name)
    for reason, names in found.items():
        yield f"{reason}:"
        yield from (f"    {name}" for name in names)


def print_details(verdicts):
    for title, lines in [
        ("New differences", [f"{v.file} {way}: {test or 'the file'}: untraced {a}, traced {b}"
                             for v in verdicts for way, test, a, b in v.new]),
        ("Known differences", list(known_by_reason(verdicts))),
        ("Differed once, not twice", [f"{v.file} {way}: {test or 'the file'}"
                                      for v in verdicts for way, test in v.unsteady]),
        ("Left out", [f"{v.file}: {v.left_out}" for v in verdicts if v.left_out]),
        ("Failing untraced, left out", [f"{v.file}: {test}" for v in verdicts
                                        for test in v.failed]),
    ]:
        if lines:
            print(f"\n{title}\n    " + "\n    ".join(lines))


def print_sums(verdicts):
    compared = [verdict for verdict in verdicts if not verdict.left_out]
    differing = [verdict for verdict in compared if verdict.new]
    print(f"\n{sys.version.split()[0]}: {len(compared)} files with "
          f"{sum(verdict.count for verdict in compared)} tests compared, "
          f"{len(compared) - len(differing)} files agree, {len(differing)} differ, "
          f"{len(verdicts) - len(compared)} left out")
    return 1 if differing or not compared else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--jobs", type=int, default=1, help="files at once")
    parser.add_argument("--seconds", type=int, default=60, help="limit of a file, untraced")
    parser.add_argument("--log", type=pathlib.Path, help="where each run's output is kept")
    parser.add_argument("--tests", type=pathlib.Path, help="a directory with other tests")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    if not importlib.util.find_spec("test.libregrtest"):
        sys.exit("this Python is without its tests (Debian: libpython3-testsuite)")
    # In the background a shell has it ignored, and what we start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="three-ways-") as scratch:
        options.log = (options.log or pathlib.Path(scratch)).absolute()
        options.log.mkdir(parents=True, exist_ok=True)
        print(f"{'file':34} {'tests':>6} {'s':>6} {'exact':>6} {'sampl.':>6}", flush=True)
        verdicts = []
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            one = functools.partial(run_three_ways, options=options)
            for verdict in pool.map(one, options.files or all_files()):
                verdicts.append(verdict)
                print(verdict.line(), flush=True)
        print_details(verdicts)
    return print_sums(verdicts)


if __name__ == "__main__":
    sys.exit(main())
