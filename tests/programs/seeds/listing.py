# SPDX-License-Identifier: MIT
"""What all listings share: the module to use, and an application to look at.

    listing.py's neighbours: NAME.py tracemalloc|memwhy.tracemalloc
"""
import importlib
import json
import sys

tracemalloc = importlib.import_module(sys.argv[1])

KEPT = []


def start_your_application():
    """Little, so that the first snapshot costs the standard module little."""
    KEPT.append(bytes(3000))


class Session:
    def __init__(self, number):
        self.number = number
        self.cookies = {"id": f"session-{number:06}"}


def run_your_application():
    """A dozen lines that keep memory, no two of them the same amount."""
    KEPT.append(json.loads(json.dumps([{"key": i, "text": "x" * i} for i in range(400)])))
    KEPT.append([Session(number) for number in range(1300)])
    KEPT.append([bytes(1000) for _ in range(210)])
    KEPT.append([bytearray(900) for _ in range(150)])
    KEPT.append([f"name {i}" for i in range(1500)])
    KEPT.append({i: str(i) for i in range(700)})
    KEPT.append([(i, i + 1000) for i in range(900)])
    KEPT.append([{i} for i in range(160)])
    KEPT.append("long text " * 2500)
    KEPT.append([lambda: i for i in range(250)])
    KEPT.append(list(range(1000, 1550)))
