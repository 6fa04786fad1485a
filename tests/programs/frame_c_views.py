# SPDX-License-Identifier: MIT
"""Looks at frames that carry marks as C extensions and debuggers do, without asking first.

Prints "unharmed" if the program's variables are as they were, and nothing is left over.
"""
import copy
import ctypes
import gc
import sys

import memwhy
from memwhy import _memwhy

to_fast = ctypes.pythonapi.PyFrame_LocalsToFast
to_fast.argtypes, to_fast.restype = [ctypes.py_object, ctypes.c_int], None
get_locals = ctypes.pythonapi.PyEval_GetLocals
get_locals.argtypes, get_locals.restype = [], ctypes.c_void_p


def write_back(clear):
    """As a debugger does, but without having read the caller's variables before."""
    kept = [object()]
    to_fast(sys._getframe(1), clear)
    return kept


def written_back(clear):
    number, items = [1], {}
    for _ in range(3):
        write_back(clear)
    return number, items


def callee():
    return [[object()]]


def given_to_c():
    item = [callee()]
    callee()
    address = get_locals()
    return address, id(locals()), item


def ended():
    item = [callee()]
    callee()
    return sys._getframe(), item


def look_at_ended(must_show):
    frame, item = ended()
    marks = [one for one in gc.get_referents(frame) if type(one).__name__ == "frame_mark"]
    assert len(marks) == must_show, marks
    for mark in marks:
        assert mark == mark and hash(mark) == hash(mark) and "frame_mark" in repr(mark)
        try:
            copy.copy(mark)
            raise AssertionError("a mark was copied")
        except TypeError:
            pass
    assert dict(frame.f_locals)["item"] is item
    frame.clear()


def count_variables():
    item = callee()
    callee()
    return len(locals()), item


def count_blocks(rounds):
    for _ in range(rounds):
        count_variables()
        look_at_ended(0 if sys.version_info >= (3, 14) else 1)
    gc.collect()
    return sys.getallocatedblocks()


def main():
    memwhy.start()
    for clear in (0, 1):
        assert written_back(clear) == ([1], {})
    address, true_address, item = given_to_c()
    assert sys.version_info >= (3, 13) or address == true_address
    assert type(item) is list
    before = count_blocks(300)
    left = count_blocks(5000) - before
    assert left < 100, left
    in_force, checks, mismatches = _memwhy._check_marks()
    assert in_force and checks and not mismatches
    memwhy.stop()
    print("unharmed")


if __name__ == "__main__":
    main()
