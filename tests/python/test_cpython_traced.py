# SPDX-License-Identifier: MIT
"""Tests of CPython have the same results untraced, traced exactly and traced by samples.

    MEMWHY_TEST_SLOW=1      a selection, about a minute
    make cpython-suite      all of them, hours

The tool that compares is tests/programs/cpython_three_ways.py; here it is shown to see a
difference, too.
"""
import importlib.util
import shutil
import textwrap

import pytest

from processes import PROGRAMS, python

needs_regrtest = pytest.mark.skipif(
    not (importlib.util.find_spec("test") and importlib.util.find_spec("test.libregrtest")),
    reason="this Python is without its tests (Debian: libpython3-testsuite)")

pytestmark = [
    needs_regrtest,
    pytest.mark.no_leak_check("runs in processes of its own"),
    pytest.mark.no_sanitizer("CPython's tests measure memory and time, and end by signals"),
]

SELECTION = ["test_gc", "test_json", "test_re", "test_fork1", "test_generators"]

OF_BOTH_KINDS = """
    import os, sys, unittest

    def way():
        memwhy = sys.modules.get("memwhy")
        if not memwhy or not memwhy.is_tracing():
            return "untraced"
        return "sampled" if "sample" in os.environ["MEMWHY"] else "exact"

    class Tests(unittest.TestCase):
        def test_that_passes(self):
            pass

        def test_that_fails(self):
            self.fail()

        def test_that_fails_when_traced(self):
            self.assertEqual(way(), "untraced")

        def test_that_is_skipped_when_sampled(self):
            if way() == "sampled":
                self.skipTest("sampled")
"""

CRASHES_WHEN_TRACED = """
    import os, signal, sys, unittest

    class Tests(unittest.TestCase):
        def test_it(self):
            if "memwhy" in sys.modules:
                os.kill(os.getpid(), signal.SIGKILL)
"""

KNOWN_HERE = """
    KNOWN["as we wish"] = {"test_ours": [
        ("test_ours.Tests.test_that_fails_when_traced", BOTH),
        ("test_ours.Tests.test_that_is_skipped_when_sampled", ("sampled",))]}
"""


def three_ways(*arguments):
    return python(PROGRAMS / "cpython_three_ways.py", *arguments, timeout=1500)


def of_our_own(directory, source):
    (directory / "test_ours.py").write_text(textwrap.dedent(source))
    return three_ways("--tests", directory, "test_ours")


@pytest.fixture(scope="module")
def both_kinds(tmp_path_factory):
    return of_our_own(tmp_path_factory.mktemp("both_kinds"), OF_BOTH_KINDS)


@pytest.mark.slow("CPython's own tests, three times")
@pytest.mark.parametrize("name", SELECTION)
def test_results_are_the_same_traced(name):
    if not importlib.util.find_spec(f"test.{name}"):
        pytest.skip(f"this Python has no test.{name}")
    done = three_ways(name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 files agree, 0 differ, 0 left out" in done.stdout


def test_a_test_that_ends_differently_traced_is_told_by_its_way(both_kinds):
    told = both_kinds.stdout.partition("New differences\n")[2].partition("\n\n")[0]
    assert sorted(line.split("test_ours.Tests.")[1] for line in told.splitlines()) == [
        "test_that_fails_when_traced: untraced completed, traced failure",
        "test_that_fails_when_traced: untraced completed, traced failure",
        "test_that_is_skipped_when_sampled: untraced completed, traced skipped"], both_kinds
    assert both_kinds.stdout.count("test_ours sampled: ") == 2
    assert both_kinds.returncode == 1


def test_what_fails_untraced_is_left_out_and_listed(both_kinds):
    listed = both_kinds.stdout.partition("Failing untraced, left out\n")[2]
    assert listed.splitlines()[0] == "    test_ours: test_ours.Tests.test_that_fails"


def test_a_file_that_crashes_traced_differs(tmp_path):
    done = of_our_own(tmp_path, CRASHES_WHEN_TRACED)
    assert "test_ours exact: the file: untraced ended, traced ended by SIGKILL" in done.stdout
    assert done.returncode == 1


def test_files_that_cannot_be_compared_are_no_success(tmp_path):
    done = of_our_own(tmp_path, "")
    assert "left out" in done.stdout
    assert done.returncode == 1


def test_a_known_difference_is_no_failure_and_comes_with_its_reason(tmp_path):
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in ("cpython_three_ways.py", "cpython_known_differences.py"):
        shutil.copy(PROGRAMS / name, directory)
    with open(directory / "cpython_known_differences.py", "a") as file:
        file.write(textwrap.dedent(KNOWN_HERE))
    (tmp_path / "test_ours.py").write_text(textwrap.dedent(OF_BOTH_KINDS))
    done = python(directory / "cpython_three_ways.py", "--tests", tmp_path, "test_ours")
    told = done.stdout.partition("Known differences\n")[2].partition("\n\n")[0]
    assert told.splitlines()[0] == "    as we wish:"
    assert len(told.splitlines()) == 4
    assert "New differences" not in done.stdout
    assert done.returncode == 0
