# SPDX-License-Identifier: MIT
"""Tests of CPython that rightly end differently when traced: each by its name, with the ways
of tracing that it holds for, and the reason."""

EXACT = ("exact",)
BOTH = ("exact", "sampled")

RAISED_FLAG = (
    "3.11 and 3.12 say that objects are born again from free lists only while the flag "
    "tracemalloc.tracing is raised, so exact tracing raises it; the debug allocators ask the "
    "same flag before they advise \"Enable tracemalloc to get the memory block allocation "
    "traceback\", and the test wants that advice")

# reason: {file: [(test, ways)]}
KNOWN = {
    RAISED_FLAG: {
        "test_capi": [(f"test.test_capi.{module}.{allocator}Tests.{test}", EXACT)
                      for module in ("test_misc", "test_mem")  # until 3.11, since 3.12
                      for allocator in ("PyMemDebug", "PyMemMallocDebug", "PyMemPymallocDebug")
                      for test in ("test_api_misuse", "test_buffer_overflow")],
    },
}


def reason_for(file, test, way):
    """The reason why [test] of [file] may differ, traced that [way]; None if there is none."""
    for reason, files in KNOWN.items():
        if any(test == name and way in ways for name, ways in files.get(file, [])):
            return reason
    return None
