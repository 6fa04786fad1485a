# SPDX-License-Identifier: MIT
"""What all tests share: the mark `slow`, a tracer that is off between tests, and a C
extension as subject."""
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

import memwhy

SLOW = "MEMWHY_TEST_SLOW"


def pytest_configure(config):
    config.addinivalue_line("markers", f"slow(reason): takes long; runs only if {SLOW}=1")


def pytest_collection_modifyitems(items):
    if os.environ.get(SLOW, "0") not in ("", "0"):
        return
    for item in items:
        for mark in item.iter_markers("slow"):
            item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]}: set {SLOW}=1"))


def build_subject(directory, *names):
    """Compiles tests/programs/<first name>/<name>.c for this Python, each to a library of its
    own: the first is the extension, whatever else is none."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    header = Path(sysconfig.get_path("include"), "Python.h")
    if compiler is None or not header.exists():
        pytest.skip("no C compiler, or no header files of this Python")
    programs = Path(__file__).parents[1] / "programs"
    # A sanitizer that the tests run under is not the compiler's.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    for name in names:
        suffix = sysconfig.get_config_var("EXT_SUFFIX") if name == names[0] else ".so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-pthread", f"-I{header.parent}",
                        programs / names[0] / f"{name}.c", "-o", directory / (name + suffix)],
                       check=True, timeout=120, env=environment)
    return directory


@pytest.fixture(scope="session")
def raw_calls(tmp_path_factory):
    """The directory with the test subject tests/programs/raw_calls, built for this Python."""
    return build_subject(tmp_path_factory.mktemp("raw_calls"), "raw_calls")


@pytest.fixture(scope="session")
def capi_tracks(tmp_path_factory):
    """The directory with tests/programs/capi_tracks, an extension and a library."""
    return build_subject(tmp_path_factory.mktemp("capi_tracks"), "capi_tracks", "late_library")


@pytest.fixture(scope="session")
def heap_subject(tmp_path_factory):
    """The directory with tests/programs/heap_subject, types that extensions get wrong."""
    return build_subject(tmp_path_factory.mktemp("heap_subject"), "heap_subject")


@pytest.fixture
def untraced():
    """For tests that start the tracer in this process: it is off before and after."""
    memwhy.stop()
    yield
    memwhy.stop()
