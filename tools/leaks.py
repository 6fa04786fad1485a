#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks for leaks of our own extension: repeats each Python test and compares counts.

    python-dbg tools/leaks.py [pytest's arguments]      (`make leaks` does it all)

As in CPython's `python -m test -R`, a test is run a few times until every cache is warm,
then a few times more.  What grows in each of the latter is a leak:

    references   all of the interpreter's; only a debug build counts them
    blocks       of Python's own allocators
    native       bytes in use in libc's heap, where the extension keeps what is its own

A test whose growth is no leak has the mark `no_leak_check`, with the reason.
"""

import ctypes
import gc
import sys

import pytest
from _pytest.runner import runtestprotocol

WARM_UP = 3
ROUNDS = 4
# What the runner itself may move per round without our doing: libc's heap is not exact.
NATIVE_NOISE_BYTES = 512


class MallocInfo(ctypes.Structure):
    """glibc's struct mallinfo2."""
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
                .split()]


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = MallocInfo


def counts():
    """(references, blocks, native bytes) in use now."""
    for _ in range(3):
        gc.collect()
    references = getattr(sys, "gettotalrefcount", lambda: 0)()
    heap = libc.mallinfo2()
    return references, sys.getallocatedblocks(), heap.uordblks + heap.hblkhd


def growth_of(run):
    """What each of the rounds of [run] added: one list per kind of count."""
    history = [[0] * (ROUNDS + 1) for _ in range(3)]
    for number in range(-WARM_UP, ROUNDS):
        if number == 0:
            for kind, count in zip(history, counts()):
                kind[0] = count
        run()
        if number >= 0:
            for kind, count in zip(history, counts()):
                kind[number + 1] = count
    return [[after - before for before, after in zip(kind, kind[1:])] for kind in history]


def verdict(references, blocks, native):
    """One sentence about what leaks, or None."""
    if all(added > 0 for added in references):
        return f"references: {references} more in each round"
    # Without a debug build a cache may still grow by a block now and then.
    if all(added > 0 for added in blocks) and not any(references):
        return f"blocks: {blocks} more in each round"
    if all(added > NATIVE_NOISE_BYTES for added in native):
        return f"native: {native} bytes more in each round"
    return None


class Sibling:
    """Stands for a next test beside [item]: fixtures of module and session stay alive, the
    test's own do not."""
    def __init__(self, item):
        self.item = item

    def listchain(self):
        return self.item.listchain()[:-1]


class LeakCheck:
    def __init__(self):
        self.leaks = {}
        self.failures = []
        self.checked = 0

    def pytest_runtest_protocol(self, item, nextitem):
        if item.get_closest_marker("no_leak_check"):
            return None     # pytest runs it once, as ever

        outcomes = set()

        def run():
            for report in runtestprotocol(item, log=False, nextitem=Sibling(item)):
                outcomes.add(report.outcome)
                if report.failed:
                    self.failures.append(item.nodeid)

        if found := verdict(*growth_of(run)):
            self.leaks[item.nodeid] = found
        self.checked += "skipped" not in outcomes
        item.session._setupstate.teardown_exact(nextitem)
        print("L" if item.nodeid in self.leaks else ".", end="", flush=True)
        return True


def main(arguments):
    if not hasattr(sys, "gettotalrefcount"):
        print("tools/leaks.py: not a debug build, references are not counted", file=sys.stderr)
    check = LeakCheck()
    # Timings, reports and rewritten assertions are kept by pytest: as few as can be.
    status = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:junitxml", *arguments],
                         plugins=[check])
    print(f"\n{check.checked} tests repeated, {len(check.leaks)} leak")
    for name, found in check.leaks.items():
        print(f"    {name}: {found}")
    for name in dict.fromkeys(check.failures):
        print(f"    {name}: failed when repeated")
    return 1 if check.leaks or check.failures or status not in (0, pytest.ExitCode.NO_TESTS_COLLECTED) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
