# SPDX-License-Identifier: MIT
"""What all listings share: the module to use, and an application to look at.

    listing.py's neighbours: NAME.py tracemalloc|memwhy.tracemalloc
"""
import gc
import importlib
import json
import sys
import tracemalloc as _  # noqa: F401  both modules are loaded, whichever is used

import memwhy.tracemalloc

tracemalloc = importlib.import_module(sys.argv[1])

KEPT = []
TEXT = json.dumps([{"key": i, "text": "x" * i} for i in range(400)])


def keep(thing):
    """Keeps it, and empties the free lists (a collection does), so that no line is given a
    block that an earlier line has left there.  What lies in them differs between the
    modules: a snapshot of the standard one is made of Python objects."""
    KEPT.append(thing)
    gc.collect()


def start_your_application():
    """Little, so that the first snapshot costs the standard module little."""
    keep(bytes(3000))


class Session:
    def __init__(self, number):
        self.number = number
        self.cookies = {"id": f"session-{number:06}"}


def run_your_application():
    """A dozen lines that keep memory, no two of them the same amount."""
    gc.collect()
    keep(json.loads(TEXT))
    keep([Session(number) for number in range(1300)])
    keep([bytes(1000) for _ in range(210)])
    keep([bytearray(900) for _ in range(150)])
    keep([f"name {i}" for i in range(1500)])
    keep({i: str(i) for i in range(700)})
    keep([(i, i + 1000) for i in range(900)])
    keep([{i} for i in range(160)])
    keep("long text " * 2500)
    keep([lambda: i for i in range(250)])
    keep(list(range(1000, 1550)))


# The only collections are those of keep() and this one: when others came would depend on
# how many objects the tracer makes for a snapshot.
gc.collect()
gc.disable()
