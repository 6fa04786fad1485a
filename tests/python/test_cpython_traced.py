# SPDX-License-Identifier: MIT
"""Tests of CPython have the same results traced as untraced.

    MEMWHY_TEST_SLOW=1      a selection, about half a minute
    MEMWHY_TEST_SLOW=all    all of them, several minutes

Each module is run twice by CPython's own runner; every process that it starts is traced
too (tests/programs/traced_site).  What fails on this machine untraced may fail traced.
"""
import importlib.util
import os
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import SLOW
from processes import PROGRAMS, environment, python

pytestmark = [
    pytest.mark.slow("CPython's own tests, twice"),
    pytest.mark.no_leak_check("runs in processes of its own"),
    pytest.mark.no_sanitizer("CPython's tests measure memory and time, and end by signals"),
]

SELECTION = ["test_gc", "test_json", "test_re", "test_fork1", "test_generators"]
LONG = ["test_threading", "test_asyncio", "test_capi", "test_subprocess"]


def side(traced):
    """The environment of the one side or the other; both read our sitecustomize."""
    path = [str(PROGRAMS / "traced_site"), os.environ.get("PYTHONPATH")]
    return environment(PYTHONPATH=os.pathsep.join(filter(None, path)), PYTHONHASHSEED="0",
                       TRACED_SITE="1" if traced else None)


def outcomes_of(name, directory, traced):
    """{test: outcome} of one module of CPython's tests, and the end of what it printed."""
    report = directory / f"{name}{'-traced' if traced else ''}.xml"
    done = python("-m", "test", "--timeout", "600", "--junit-xml", report, name,
                  timeout=1500, cwd=directory, env=side(traced))
    text = done.stdout[-5000:] + done.stderr[-5000:]
    assert report.exists(), f"exit status {done.returncode}\n{text}"
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcomes[case.get("name")] = " ".join(sorted(kinds)) or case.get("result", "completed")
    return outcomes, text


def is_there(name):
    return importlib.util.find_spec("test") and importlib.util.find_spec(f"test.{name}")


@pytest.mark.parametrize("traced", [False, True])
def test_only_the_traced_side_is_traced(traced):
    code = "import sys; print('memwhy' in sys.modules and sys.modules['memwhy'].is_tracing())"
    assert python("-c", code, env=side(traced)).stdout == f"{traced}\n"


@pytest.mark.parametrize("name", SELECTION + LONG)
def test_results_are_the_same_traced(name, tmp_path):
    if name in LONG and os.environ.get(SLOW) != "all":
        pytest.skip(f"takes minutes: set {SLOW}=all")
    if not is_there("libregrtest") or not is_there(name):
        pytest.skip(f"this Python has no test.{name} (Debian: libpython3-testsuite)")
    plain, _ = outcomes_of(name, tmp_path, traced=False)
    traced, text = outcomes_of(name, tmp_path, traced=True)
    different = {test: (plain.get(test), traced.get(test)) for test in plain.keys() | traced.keys()
                 if plain.get(test) != traced.get(test)}
    assert not different, text
    assert plain
