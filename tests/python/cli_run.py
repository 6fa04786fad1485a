# SPDX-License-Identifier: MIT
"""What the tests of `memwhy run` share: running programs plainly and traced."""
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

MEMWHY = Path(sys.executable).with_name("memwhy")
PYTHON = next((path for path in map(MEMWHY.with_name, ("python3", "python")) if path.exists()), None)
SUMMARY = "memwhy: "

needs_command = pytest.mark.skipif(not MEMWHY.exists(),
                                   reason="no memwhy command beside this Python")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Whoever runs the tests may have asked Python for something else."""
    for name in list(os.environ):
        if name.startswith(("PYTHON", "MEMWHY", "NO_COLOR")):
            monkeypatch.delenv(name)


@pytest.fixture
def script(tmp_path):
    """Writes a program and returns its path."""
    def write(text, name="program.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path
    return write


def memwhy(*arguments, **options):
    options.setdefault("timeout", 60)
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    return subprocess.run([MEMWHY, *map(str, arguments)], capture_output=True, text=True, **options)


def plain(*arguments, **options):
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    return subprocess.run([PYTHON, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, **options)


def split(stderr):
    """What the program said on stderr, and our summary."""
    if stderr.startswith(SUMMARY):
        return "", stderr
    before, mark, summary = stderr.partition("\n" + SUMMARY)
    return before + mark[:1], SUMMARY + summary if mark else ""


def without_addresses(text):
    return re.sub(r"\b0x[0-9a-f]{6,}", "0x…", text)


def run_both(*arguments, **options):
    """Runs plainly and traced, checks that all but the summary is equal; returns the latter."""
    expected = plain(*arguments, **options)
    found = memwhy("run", *arguments, **options)
    stderr, summary = split(found.stderr)
    assert without_addresses(found.stdout) == without_addresses(expected.stdout)
    assert without_addresses(stderr) == without_addresses(expected.stderr)
    assert found.returncode == expected.returncode
    found.summary = summary
    return found
