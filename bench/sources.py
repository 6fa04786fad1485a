# SPDX-License-Identifier: MIT
"""What memwhy keeps for each distinct source that a program compiles and drops; see run.py.

Prints one JSON object: bytes for each source, over many, and over one compiled as often.
"""
import json

import memwhy.tracemalloc as tracemalloc

SOURCES = 20_000


def kept_after(sources):
    tracemalloc.start()
    before = tracemalloc.get_tracemalloc_memory()
    for name in sources:
        exec(compile("kept = [0] * 7", name, "exec"), {})
    kept = tracemalloc.get_tracemalloc_memory() - before
    tracemalloc.stop()
    return kept / SOURCES


print(json.dumps({"distinct": kept_after(f"<template {n}>" for n in range(SOURCES)),
                  "same": kept_after("<template>" for _ in range(SOURCES))}))
