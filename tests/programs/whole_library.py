# SPDX-License-Identifier: MIT
"""Imports the whole standard library, but for what does something when it is imported, its
tests, and what is not there; then says what share of all reference counts a walk explains,
and who holds the rest.

    python tests/programs/whole_library.py
"""
import contextlib
import importlib
import io
import os
import pkgutil
import sys
import warnings

LEFT_OUT = {"antigravity", "this", "idlelib", "turtledemo", "test", "lib2to3", "__hello__",
            "__phello__"}
PARTS_LEFT_OUT = {"__main__", "test", "tests", "idle_test"}


def load(name):
    try:
        return importlib.import_module(name)
    except BaseException:  # what is not for this system raises what it likes
        return None


def import_all():
    for name in sorted(sys.stdlib_module_names - LEFT_OUT):
        module = load(name)
        for part in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
            if not PARTS_LEFT_OUT & set(part.name.split(".")):
                load(part.name)


warnings.simplefilter("ignore")
with contextlib.redirect_stdout(io.StringIO()):
    import_all()

import memwhy  # noqa: E402

with memwhy.heap() as heap:
    print(f"{heap.explained:.6f} {len(sys.modules)} {heap.summary['overcounted_objects']}")
    for row in heap.held_from_c():
        print(row)
sys.stdout.flush()
os._exit(0)  # what some of them do at the end is not ours to see
