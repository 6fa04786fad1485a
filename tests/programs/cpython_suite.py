# SPDX-License-Identifier: MIT
"""Runs CPython's own test.test_tracemalloc against memwhy, and prints what became of each
test as JSON: {"tracemalloc": its file, "outcomes": {test: outcome}, "report": text}.

    cpython_suite.py [name to leave out]...

A name is a class (TestCAPI) or a test (TestTracemallocEnabled.test_new_reference).
"""
import io
import json
import sys
import unittest

import memwhy.tracemalloc

memwhy.tracemalloc.install()

import test.test_tracemalloc as suite  # noqa: E402  it is to find ours


class Outcomes(unittest.TextTestResult):
    """Remembers one word for each test: ok, skipped: reason, FAIL or ERROR."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.outcomes = {}

    def addSuccess(self, test):
        super().addSuccess(test)
        self.outcomes[name_of(test)] = "ok"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcomes[name_of(test)] = f"skipped: {reason}"

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.outcomes[name_of(test)] = "FAIL"

    def addError(self, test, error):
        super().addError(test, error)
        self.outcomes[name_of(test)] = "ERROR"

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.outcomes[name_of(subtest)] = "FAIL"


def name_of(test):
    return test.id().removeprefix("test.test_tracemalloc.")


def without(tests, left_out):
    """The same suites of suites: one test counts the frames above it."""
    if isinstance(tests, unittest.TestSuite):
        inner = (without(test, left_out) for test in tests)
        return unittest.TestSuite(test for test in inner if test is not None)
    names = {name_of(tests), name_of(tests).partition(".")[0]}
    return None if names & left_out else tests


def main(left_out):
    tests = unittest.defaultTestLoader.loadTestsFromNames(["test.test_tracemalloc"])
    text = io.StringIO()
    runner = unittest.TextTestRunner(text, verbosity=2, resultclass=Outcomes)
    result = runner.run(without(tests, set(left_out)))
    json.dump({"tracemalloc": suite.tracemalloc.__file__, "outcomes": result.outcomes,
               "report": text.getvalue()}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
