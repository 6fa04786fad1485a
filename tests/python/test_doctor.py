# SPDX-License-Identifier: MIT
"""`memwhy doctor`: its page and its JSON, what it finds here, and what it says where memwhy
cannot work.

The golden pages are read by eye; MEMWHY_WRITE_GOLDEN=1 writes them anew.
"""
import copy
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli_run import (
    MEMWHY,
    PYTHON,
    memwhy,
    needs_command,
    plain,
    plain_environment,  # noqa: F401
)
from memwhy import _doctor

GOLDEN = Path(__file__).parents[1] / "golden"
IS_WRITING = bool(os.environ.get("MEMWHY_WRITE_GOLDEN"))  # a fixture takes it away


# ── the page ──────────────────────────────────────────────────────────────────────────

def mechanism(name, purpose, detail, **changes):
    return {"name": name, "purpose": purpose, "in_force": True, "disabled": False,
            "detail": detail, "needed": True, **changes}


def check(name, says, passed=True, count=1):
    return {"name": name, "passed": passed, "count": count, "says": says}


ALL_IS_WELL = {
    "format": "memwhy-doctor", "version": 1, "works": True, "verdict": "",
    "interpreter": {
        "path": "/usr/bin/python3.14", "implementation": "CPython", "version": "3.14.10",
        "build": {"linkage": "static", "debug": False, "pgo": True, "lto": True, "gil": True,
                  "jit": "off", "compiler": "GCC 16.2.0"}},
    "memwhy": {"version": "0.1.0", "package": "/usr/lib/python3/dist-packages/memwhy",
               "extension": "/usr/lib/python3/dist-packages/memwhy/_memwhy.so",
               "starts_early": True},
    "allocator": "pymalloc", "other_tracers": [], "unknown_disabled": None,
    "mechanisms": [
        mechanism("marks", "finding a frame's callers in one step", "their self-check passed"),
        mechanism("pools", "serving small blocks without a second call", "pymalloc's pools"),
        mechanism("reuse", "lines of objects taken from free lists", "a reference tracer"),
        mechanism("detour", "hearing of such objects without a lock",
                  "this Python tells of them itself", in_force=False, needed=False),
        mechanism("capi-domains", "memory that extensions report", "12 import slots"),
        mechanism("graph", "looking at objects: heap(), why(), growth()",
                  "layouts of objects checked"),
    ],
    "checks": [check("frames", "40 deep, as the public functions say", count=40),
               check("offsets", "this version tells debuggers none", None, 0),
               check("comparisons", "0 of 14,961 differed from a walk", count=14961)],
    "permissions": {"code_pages": "allowed", "address_space_limit": None,
                    "cgroup_memory_limit": 2 << 30, "overcommit_memory": 0, "ptrace_scope": 1},
    "environment": {},
    "system": {"kernel": "Linux 6.18.1", "machine": "x86_64", "libc": "glibc 2.43"},
}


def changed(edit):
    found = copy.deepcopy(ALL_IS_WELL)
    edit(found)
    found["verdict"] = _doctor._verdict(found)
    return found


def all_is_well(found):
    pass


def fallbacks(found):
    for one in found["mechanisms"]:
        if one["name"] in ("marks", "pools"):
            one.update(in_force=False, disabled=True, detail="switched off by MEMWHY_DISABLE")
    found["environment"] = {"MEMWHY_DISABLE": "marks,pools,frob\x1b[31m", "PYTHONMALLOC": "debug"}
    found["unknown_disabled"] = "frob\x1b[31m"
    found["memwhy"]["starts_early"] = False
    found["other_tracers"] = ["tracemalloc is tracing", "a profile function is set"]


def less_exact(found):
    found["mechanisms"][2].update(in_force=False, detail="another tool has the only place")
    found["mechanisms"][4].update(in_force=False, detail="the import slots are read-only")
    found["other_tracers"] = ["another tool has the place for a reference tracer"]
    found["allocator"] = None
    found["permissions"].update(address_space_limit=500_000_000, ptrace_scope=None)


def no_graph(found):
    found["mechanisms"][5].update(in_force=False, detail="static types are not as memwhy knows them")
    found["checks"].append(check("objects", "memwhy does not look at the objects of this Python, "
                                 "since static types are not as memwhy knows them", None, 0))


def failed_marks(found):
    found["mechanisms"][0].update(in_force=False, detail="3 of 564 new frames showed an old mark")
    found["checks"].append(check("new frames", "3 of 564 showed an old mark", False, 564))


def failed_account(found):
    found["checks"].append(check("blocks", "999 of 1000 objects found at their line", False, 999))


PAGES = [all_is_well, fallbacks, less_exact, no_graph, failed_marks, failed_account]


@pytest.mark.parametrize("edit", PAGES)
def test_page_is_the_golden_one(edit):
    text = _doctor.text_of(changed(edit))
    path = GOLDEN / f"doctor_{edit.__name__}.txt"
    if IS_WRITING:
        path.write_text(text)
    assert text == path.read_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert text.isprintable() or not re.search(r"[^\n -~]", text)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("edit", PAGES)
def test_page_keeps_to_its_width_and_colour_takes_none(edit, width):
    found = changed(edit)
    found["interpreter"]["path"] = "/a" * 200
    plainly = _doctor.text_of(found, width)
    coloured = _doctor.text_of(found, width, has_colour=True)
    assert all(len(line) <= width for line in plainly.splitlines())
    assert "\033" in coloured and "\033" not in plainly
    unstyled = re.sub("\033\\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in unstyled.splitlines()] == plainly.splitlines()


# ── here ──────────────────────────────────────────────────────────────────────────────

@needs_command
def test_memwhy_works_here_and_no_check_fails():
    result = memwhy("doctor", "--json")
    found = json.loads(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
    assert (found["format"], found["version"], found["works"]) == ("memwhy-doctor", 1, True)
    assert found["verdict"].startswith("memwhy works here: exact")
    assert [one["name"] for one in found["checks"] if one["passed"] is False] == []
    assert {"frames", "blocks", "tracebacks", "frees", "large blocks", "losses", "stop"} <= {
        one["name"] for one in found["checks"] if one["passed"]}
    assert found["interpreter"]["path"] == str(PYTHON)
    assert found["interpreter"]["version"] == sys.version.split()[0].rstrip("+")
    assert found["memwhy"]["starts_early"]
    assert found["allocator"].removesuffix("_debug") == "pymalloc"


@needs_command
def test_page_begins_with_the_verdict_of_the_json():
    verdict = json.loads(memwhy("doctor", "--json").stdout)["verdict"]
    result = memwhy("doctor")
    assert result.returncode == 0 and result.stderr == ""
    assert " ".join(result.stdout.split("\n\n")[0].split()) == verdict
    assert "\033" not in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


@needs_command
def test_every_member_is_in_the_docs():
    found = json.loads(memwhy("doctor", "--json").stdout)
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    for member in [*found, *found["interpreter"], *found["interpreter"]["build"], *found["memwhy"],
                   *found["mechanisms"][0], *found["checks"][0], *found["permissions"],
                   *found["system"]]:
        assert f"`{member}`" in page, member
    for one in found["mechanisms"] + found["checks"]:
        assert f"`{one['name']}`" in page, one["name"]


@needs_command
@pytest.mark.parametrize("name, value, allocator", [
    ("PYTHONMALLOC", "malloc", "malloc"), ("PYTHONMALLOC", "debug", "pymalloc_debug"),
])
def test_other_allocators_are_named_and_right(monkeypatch, name, value, allocator):
    monkeypatch.setenv(name, value)
    result = memwhy("doctor", "--json")
    found = json.loads(result.stdout)
    assert result.returncode == 0 and found["works"]
    assert found["allocator"] == allocator
    assert found["environment"] == {name: value}


@needs_command
def test_other_tracers_are_told(monkeypatch):
    monkeypatch.setenv("PYTHONTRACEMALLOC", "1")
    found = json.loads(memwhy("doctor", "--json").stdout)
    assert "tracemalloc is tracing" in found["other_tracers"]
    assert [one["name"] for one in found["checks"] if one["passed"] is False] == []


@needs_command
def test_memory_limit_is_told():
    result = subprocess.run(["sh", "-c", 'ulimit -v 3000000; exec "$0" doctor --json', MEMWHY],
                            capture_output=True, text=True, timeout=60)
    found = json.loads(result.stdout)
    assert found["permissions"]["address_space_limit"] == 3_000_000 * 1024
    assert result.returncode == 0 and found["works"]


@needs_command
def test_a_memwhy_in_the_current_directory_is_not_the_one(tmp_path):
    (tmp_path / "memwhy.py").write_text("raise SystemExit('the wrong one')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')\n")
    assert memwhy("doctor", cwd=tmp_path).returncode == 0


@needs_command
def test_python_dash_m_memwhy_doctor_asks_this_interpreter():
    found = json.loads(plain("-m", "memwhy", "doctor", "--json").stdout)
    assert found["interpreter"]["path"] == str(PYTHON)


@needs_command
def test_terminal_gets_colour_unless_no_color():
    def on_terminal(**changes):
        master, slave = pty.openpty()
        process = subprocess.Popen([MEMWHY, "doctor"], stdout=slave,
                                   env={**os.environ, "TERM": "xterm", **changes})
        text = b""
        process.wait(timeout=60)
        os.close(slave)
        time.sleep(0.1)
        text = os.read(master, 100_000)
        os.close(master)
        return text

    assert b"\033[1mmemwhy " in on_terminal(NO_COLOR="")
    assert b"\033" not in on_terminal(NO_COLOR="1")
    assert b"\033" not in on_terminal(TERM="dumb")


# ── where it cannot work ──────────────────────────────────────────────────────────────

@needs_command
@pytest.mark.parametrize("arguments, expected", [
    (["--frob"], 'doctor has no option "--frob"; see "memwhy help doctor".'),
    (["x.py"], 'doctor has no use for "x.py"; see "memwhy help doctor".'),
    (["--python"], '--python wants a value; see "memwhy help doctor".'),
    (["--json=x"], '--json takes no value; see "memwhy help doctor".'),
])
def test_wrong_usage_is_one_sentence(arguments, expected):
    result = memwhy("doctor", *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"memwhy: {expected}\n")


def fake_python(tmp_path, script):
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def refusal(python, status):
    """The same sentence in both forms."""
    text = memwhy("doctor", "--python", python)
    found = memwhy("doctor", "--json", f"--python={python}")
    assert (text.returncode, found.returncode) == (status, status)
    assert text.stderr == found.stderr == ""
    assert json.loads(found.stdout) == {"format": "memwhy-doctor", "version": 1, "works": False,
                                        "verdict": text.stdout.rstrip("\n")}
    assert text.stdout.startswith("memwhy does not work here: ")
    return text.stdout.removeprefix("memwhy does not work here: ").rstrip("\n")


@needs_command
@pytest.mark.parametrize("python, expected", [
    ("no-such-python", 'there is no interpreter "no-such-python" on PATH.'),
    ("/no/such", 'the interpreter "/no/such" is missing or not an executable file.'),
    ("/tmp", 'the interpreter "/tmp" is missing or not an executable file.'),
    ("/bin/true", '"/bin/true" cannot run memwhy: it is no Python interpreter.'),
])
def test_what_is_no_interpreter_cannot_be_reached(python, expected):
    assert refusal(python, 3) == expected


@needs_command
def test_python_without_memwhy_says_how_to_install(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    assert refusal(python, 3) == (f'memwhy is not installed for "{python}"; install it with that '
                                  'Python\'s "-m pip install memwhy".')


@needs_command
def test_extension_that_does_not_load_is_told(tmp_path):
    python = fake_python(tmp_path, "echo 'ImportError: memwhy cannot trace this' >&2; exit 1")
    assert refusal(python, 3) == (
        f'"{python}" cannot run memwhy: ImportError: memwhy cannot trace this')


@needs_command
def test_interpreter_that_dies_of_it_is_a_failed_check(tmp_path):
    python = fake_python(tmp_path, "kill -SEGV $$")
    assert refusal(python, 1) == ("the interpreter died of SIGSEGV while memwhy was tried; please "
                                  "report it.")


@needs_command
def test_interpreter_that_hangs_is_ended(tmp_path):
    """The real limit is a minute; what ends the interpreter then is this signal."""
    python = fake_python(tmp_path, f"kill -{signal.SIGALRM.value} $$")
    assert refusal(python, 3) == "the interpreter did not answer within a minute."


@needs_command
def test_failed_check_is_exit_status_1(tmp_path):
    """An interpreter in which a look at a frame goes to a wrong place."""
    (tmp_path / "sitecustomize.py").write_text(
        "from memwhy import _self_check\n"
        "real = _self_check.pushes\n"
        "_self_check.pushes = lambda shift=0, thoroughly=False: real(4, thoroughly)\n")
    result = memwhy("doctor", env={**os.environ, "PYTHONPATH": os.pathsep.join(
        filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))})
    assert result.returncode == 1
    assert " ".join(result.stdout.split()).startswith(
        "memwhy works here: exact, but slower, since a self-check of marks failed (")
    assert "FAILED" in result.stdout


# ── help ──────────────────────────────────────────────────────────────────────────────

@needs_command
def test_help_is_what_the_docs_say():
    usage = memwhy("help", "doctor").stdout
    assert usage == memwhy("doctor", "--help").stdout == memwhy("doctor", "-h").stdout
    line = usage.splitlines()[0].removeprefix("usage:").strip()
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    assert line == "memwhy doctor [--json] [--python P]" and line in page
