# SPDX-License-Identifier: MIT
"""A program without end, traced within a bound.

    endless.py KIND CEILING

KIND is "paths" (call paths that never repeat, few blocks), "codes" (sources that never
repeat), "threads" (each with a stack of its own) or "blocks" (all are kept).  Works until
the last stage that it can reach is reached, and as long again; checks that what memwhy
holds stays below CEILING bytes, that sums are exact, and that the program's own results
are right.  Prints one JSON object.
"""
import gc
import json
import random
import resource
import sys
import threading

import memwhy

STAGES = ["exact", "folded", "cut", "coarse", "losing"]
RANDOM = random.Random(1)


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def left(word, depth):
    return step(word >> 1, depth - 1) + [1]


def right(word, depth):
    return [2] + step(word >> 1, depth - 1)


def middle(word, depth):
    return [3, *step(word >> 1, depth - 1), 3]


def step(word, depth):
    if depth == 0:
        return [word]
    return (left, right, middle)[word % 3](word, depth)


def paths(_kept, number):
    for _ in range(200):
        assert len(step(RANDOM.getrandbits(60), 30)) >= 31, "the program computes wrongly"


def codes(_kept, number):
    for i in range(50):
        space = {}
        source = f"def function_{number}_{i}(x):\n    y = [x, {i}]\n    return y + ['{number}']\n"
        exec(compile(source, f"<template {number}>", "exec"), space)
        assert space[f"function_{number}_{i}"](7) == [7, i, str(number)]


def threads(_kept, number):
    found = []
    several = [threading.Thread(target=lambda n=n: found.append(len(step(n * 12345, 12))))
               for n in range(20)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert len(found) == 20


def blocks(kept, number):
    start = len(kept)
    kept.extend([number, i] for i in range(20000))
    assert kept[start + 7] == [number, 7]


def main():
    kind, ceiling = sys.argv[1], int(sys.argv[2])
    work = globals()[kind]
    goal = {"paths": "cut", "codes": "coarse", "threads": "exact", "blocks": "losing"}[kind]
    kept, reached, before, rounds = [], [], resident_bytes(), 0
    gc.disable()
    memwhy.start(max_overhead=ceiling)
    limit = 40
    while rounds < limit:
        work(kept, rounds)
        gc.collect() if kind == "codes" and rounds % 50 == 0 else None
        rounds += 1
        degraded = memwhy.get_degraded()
        assert sum(memwhy.get_overhead().values()) <= ceiling + (1 << 20), memwhy.get_overhead()
        assert degraded["used"] <= ceiling == degraded["ceiling"], degraded
        if degraded["stage"] not in reached:
            assert not reached or STAGES.index(degraded["stage"]) > STAGES.index(reached[-1])
            reached.append(degraded["stage"])
        if STAGES.index(degraded["stage"]) < STAGES.index("losing"):
            assert memwhy.get_lost() == (0, 0)
        limit = 100000 if STAGES.index(degraded["stage"]) < STAGES.index(goal) else (
            2 * rounds if limit == 100000 else limit)
    resident = resident_bytes() - before
    current, _ = memwhy.get_traced_memory()
    snapshot = memwhy.take_snapshot()
    total = sum(row.size for row in snapshot.statistics("filename"))
    print(json.dumps({"reached": reached, "rounds": rounds, "resident": resident,
                      "lost": memwhy.get_lost(), "degraded": degraded, "current": current,
                      "total": total, "overhead": memwhy.get_overhead()}))
    memwhy.stop()


main()
