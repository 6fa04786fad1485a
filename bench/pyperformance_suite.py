# SPDX-License-Identifier: MIT
"""Part "pyperformance": the benchmarks of pyperformance, traced and untraced.

Its scripts are run as they are, with pyperf_standin.py in place of pyperf: a process for
each script and column, in turns, the tracer on from before the script's first import; in
each process one run to warm up and three that count.  What cannot be installed or run
here is listed with its reason, and counts nowhere.
"""
import builtins
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import tomllib
import types

import jobs
import pyperf_standin
from tables import ratio, table

PYPERFORMANCE = "pyperformance==1.14.0"
COLUMNS = {"untraced": 3, "exact": 3, "other": 3, "sampled": 3, "tracemalloc1": 1}
VALUES = 3
TIMEOUT_SECONDS = 180


# ── in the measured process ────────────────────────────────────────────────────────────


def run_as_main(script):
    """As `python script` does, to the letter: there, __builtins__ is a module."""
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=script, __builtins__=builtins)
    sys.modules["__main__"] = main
    with open(script, "rb") as file:
        exec(compile(file.read(), script, "exec"), main.__dict__)


def measure(column, script, argv, site, loops, values):
    recorder = pyperf_standin.Recorder(loops, values)
    pyperf_standin.install(recorder)
    sys.path[:0] = [str(pathlib.Path(script).parent), site]
    sys.argv[:] = [script, *argv]
    column.begin()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        try:
            run_as_main(script)
        except pyperf_standin.Elsewhere as reason:
            return {"refused": str(reason)}
        os.chdir("/")
    return {"times": recorder.times, "loops": recorder.loops} | column.end()


# ── what there is ──────────────────────────────────────────────────────────────────────


def pip(*arguments):
    return subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--prefer-binary",
                           "--disable-pip-version-check", *arguments],
                          capture_output=True, text=True, timeout=600)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[:160] if lines else "it failed without a word"


class Suite:
    """pyperformance's scripts, and a directory for what each of them needs."""

    def __init__(self, directory):
        self.directory = directory
        self.package = directory / "pyperformance"
        self.files = self.package / "pyperformance" / "data-files" / "benchmarks"

    def fetch(self):
        if not self.files.is_dir():
            done = pip("--no-deps", "--target", str(self.package), PYPERFORMANCE)
            if done.returncode != 0:
                raise RuntimeError(f"{PYPERFORMANCE}: {last_line(done.stderr)}")

    def benchmarks(self):
        """(name, directory of its script, arguments) of each."""
        for line in (self.files / "MANIFEST").read_text().splitlines():
            name, tab, place = line.partition("\t")
            if not tab or name.startswith("#") or place == "metafile":
                continue
            home = self.files / ("bm_" + (place[7:-1] if place.startswith("<local:") else name))
            meta = home / ("pyproject.toml" if place == "<local>" else f"bm_{name}.toml")
            known = tomllib.loads(meta.read_text()).get("tool", {}).get("pyperformance", {})
            yield name, home, known.get("extra_opts", [])

    def site(self, home):
        """Where the packages that a script needs are; (None, why) when they cannot be had."""
        requirements = home / "requirements.txt"
        site = self.directory / home.name
        if requirements.exists() and not (site / "installed").exists():
            done = pip("--target", str(site), "--upgrade", "-r", str(requirements))
            if done.returncode != 0:
                return None, f"its packages do not install: {last_line(done.stderr)}"
            (site / "installed").touch()
        return str(site), None


# ── in the runner ──────────────────────────────────────────────────────────────────────


def attempt(runner, column, arguments):
    """(the answer, None), or (None, why not)."""
    try:
        answer = runner.run("pyperformance_suite", column, arguments, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return None, f"it takes more than {TIMEOUT_SECONDS} s"
    except jobs.Failed as error:
        return None, last_line(str(error))
    if answer is not None and "refused" in answer:
        return None, answer["refused"]
    if answer is not None and not answer["loops"]:
        return None, "it measures nothing"
    return answer, None


def calibrate(runner, suite, options):
    """The arguments of each script's jobs by name, and why the others do not run."""
    ready, missing = {}, {}
    for name, home, argv in suite.benchmarks():
        if options.only and name not in options.only:
            continue
        site, reason = suite.site(home)
        if site is not None:
            arguments = {"script": str(home / "run_benchmark.py"), "argv": argv, "site": site,
                         "loops": {}, "values": 0}
            answer, reason = attempt(runner, "untraced", arguments)
        if reason is None:
            ready[name] = arguments | {"loops": answer["loops"], "values": 1 if options.quick else VALUES}
        else:
            missing[name] = reason
        jobs.progress(f"pyperformance: {name}: {reason or 'runs'}")
    return ready, missing


def run(runner, options):
    suite = Suite(jobs.TREE / "build" / "bench" / f"pyperformance-{sys.version.split()[0]}")
    suite.fetch()
    jobs.progress("pyperformance, calibration")
    ready, missing = calibrate(runner, suite, options)
    times = {}
    for round_ in range(options.repeat or max(COLUMNS.values())):
        jobs.progress(f"pyperformance, round {round_ + 1}")
        for name, arguments in list(ready.items()):
            for column, repeats in COLUMNS.items():
                if column not in options.columns or round_ >= repeats:
                    continue
                answer, reason = attempt(runner, column, arguments)
                if reason is not None:
                    missing[f"{name}, {column}"] = reason
                for of, values in (answer or {"times": {}})["times"].items():
                    times.setdefault(of, {}).setdefault(column, []).append(
                        jobs.median(values))
    return {"version": PYPERFORMANCE, "times": times, "missing": missing}


# ── tables ─────────────────────────────────────────────────────────────────────────────


def ratios(of):
    untraced = statistics.median(of["untraced"])
    return {column: statistics.median(of[column]) / untraced for column in COLUMNS
            if column in of and column != "untraced"}


def show(result):
    found = {name: ratios(of) for name, of in sorted(result["times"].items()) if "untraced" in of}
    shown = [column for column in COLUMNS if any(column in of for of in found.values())]
    rows = []
    for column in shown:
        of = {name: row[column] for name, row in found.items() if column in row}
        ordered = sorted(of, key=of.get)
        rows.append([column, len(of), f"**{ratio(statistics.geometric_mean(of.values()))}**",
                     ratio(statistics.median(of.values())),
                     ", ".join(f"{name} {ratio(of[name])}" for name in ordered[-3:][::-1])])
    text = table([result["version"], "benchmarks", "geometric mean", "median", "dearest"], rows)
    text += "\n" + table(["benchmark", *shown], [
        [name, *(ratio(row.get(column)) for column in shown)] for name, row in found.items()])
    if result["missing"]:
        text += "\nNot run: " + "; ".join(
            f"{name} ({reason})" for name, reason in result["missing"].items()) + ".\n"
    return text
