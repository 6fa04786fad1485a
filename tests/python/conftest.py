# SPDX-License-Identifier: MIT
"""What all tests share: the mark `slow`, and a tracer that is off between tests."""
import os

import pytest

SLOW = "MEMWHY_TEST_SLOW"


def pytest_configure(config):
    config.addinivalue_line("markers", f"slow(reason): takes long; runs only if {SLOW}=1")


def pytest_collection_modifyitems(items):
    if os.environ.get(SLOW, "0") not in ("", "0"):
        return
    for item in items:
        for mark in item.iter_markers("slow"):
            item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]}: set {SLOW}=1"))
