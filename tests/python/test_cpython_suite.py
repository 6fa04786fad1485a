# SPDX-License-Identifier: MIT
"""CPython's own tests of tracemalloc, those of the running version, on memwhy."""
import importlib.util
import json

import pytest

import memwhy.tracemalloc
from processes import PROGRAMS, python

pytestmark = pytest.mark.no_leak_check("runs in a process of its own")

# By name, with the reason.  Nothing else is left out.
LEFT_OUT = {
    "TestCommandLine": "tests -X tracemalloc and PYTHONTRACEMALLOC, which start the standard "
                       "tracer inside the interpreter; memwhy's switch is `memwhy run`",
}


@pytest.fixture(scope="module")
def suite():
    if importlib.util.find_spec("test") is None \
            or importlib.util.find_spec("test.test_tracemalloc") is None:
        pytest.skip("this Python has no test package (Debian: libpython3-testsuite)")
    done = python(PROGRAMS / "cpython_suite.py", *LEFT_OUT, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_suite_tests_memwhy(suite):
    assert suite["tracemalloc"] == memwhy.tracemalloc.__file__


def test_every_test_passes(suite):
    not_ok = {test: outcome for test, outcome in suite["outcomes"].items() if outcome != "ok"}
    assert not not_ok, suite["report"]


def test_most_tests_were_run(suite):
    """So that no test is lost by a change of names."""
    classes = {test.partition(".")[0] for test in suite["outcomes"]}
    assert {"TestTraceback", "TestTracemallocEnabled", "TestSnapshot", "TestFilters"} <= classes
    assert len(suite["outcomes"]) >= 32
