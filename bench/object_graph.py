# SPDX-License-Identifier: MIT
"""The object graph: what a walk and the analysis of a heap take, for each object.

    python bench/object_graph.py [OBJECTS] [--shape mixed|shuffled|linked] [--rounds N]

Run with an interpreter that has memwhy.  `gc.collect()` of the same heap stands beside, as a
yardstick of the machine.  Times are of CPU but for the child's; each figure is the median of
the rounds.  Memory is that of the walk's tables, and the most that the child had of its own.
"""
import argparse
import gc
import json
import random
import statistics
import time

import memwhy
from memwhy import _memwhy


class Row:
    def __init__(self, number):
        self.number, self.name = number, f"row {number}"


class Link:
    __slots__ = "next", "value"


def mixed(count):
    """In the order of allocation: dicts, instances, tuples, strings, a list, a cache."""
    each = count // 12
    dicts = [{"a": i + 1000, "b": str(i)} for i in range(each)]
    rows = [Row(i + 1000) for i in range(each)]
    pairs = tuple((str(i), (i + 1000,)) for i in range(each))
    cache = {f"/user/{i}": [i + 1000] for i in range(each)}
    return dicts, rows, pairs, cache


def shuffled(count):
    """Half of the objects freed and made again, each with references to three others."""
    chance = random.Random(1)
    many = [[None] * 3 for _ in range(count // 2)]
    for one in many:
        for i in range(3):
            one[i] = many[chance.randrange(len(many))]
    for i in chance.sample(range(len(many)), len(many) // 2):
        many[i] = [many[chance.randrange(len(many))] for _ in range(3)]
    return many, [str(chance.random()) for _ in range(count // 2)]


def linked(count):
    first = None
    for i in range(count // 2):
        link = Link()
        link.next, link.value = first, i + 0.5
        first = link
    return first


def status_bytes(pid, name):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) * 1024


def peak_bytes(pid):
    """What the child had at most above what it shares with us, which it keeps mapped."""
    return status_bytes(pid, "VmHWM:") - status_bytes("self", "VmRSS:")


def here():
    """CPU seconds of a walk and of the analysis, in this process."""
    start = time.process_time(), time.perf_counter()
    summary = json.loads(_memwhy._heap_ask("summary", 0, 0, 0, 0))
    # A machine that others use too gives less than a second of CPU a second.
    share = (time.process_time() - start[0]) / (time.perf_counter() - start[1])
    return {"walk": summary["walk_ns"] / 1e9 * share, "objects": summary["objects"],
            "analysis": summary["analysis_ns"] / 1e9 * share, "tables": summary["memory"],
            "references": summary["references"]}


def in_child():
    with memwhy.heap() as heap:
        target = heap.top(1)[0][0]
        start = time.perf_counter()
        heap._child.ask("object", target.id, 1)
        return {"path": time.perf_counter() - start, "pause": heap.summary["pause_ns"] / 1e9,
                "child": (heap.summary["walk_ns"] + heap.summary["analysis_ns"]) / 1e9,
                "peak": peak_bytes(heap._child._child[0]), "explained": heap.explained}


def measure(rounds):
    """Figures of the rounds by name, their medians; seconds and bytes."""
    figures = {}
    for _ in range(rounds):
        start = time.process_time()
        gc.collect()
        collect = time.process_time() - start
        for name, value in {"collect": collect, **here(), **in_child()}.items():
            figures.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in figures.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--shape", choices=["mixed", "shuffled", "linked"], default="mixed")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    gc.disable()
    kept = globals()[options.shape](options.objects)
    figures = measure(options.rounds)
    each = 1e9 / figures["objects"]
    print(f"{options.shape}: {figures['objects']:,.0f} objects, "
          f"{figures['references']:,.0f} references, {figures['explained']:.3%} explained")
    for name, text in (("walk", "walk, in process"), ("analysis", "analysis, in process"),
                       ("collect", "gc.collect()"), ("child", "both, in the child (wall)")):
        print(f"  {text:<26} {figures[name]:8.3f} s  {figures[name] * each:7.1f} ns/object")
    print(f"  {'pause of the program':<26} {figures['pause'] * 1000:8.1f} ms")
    print(f"  {'a path afterwards':<26} {figures['path'] * 1000:8.2f} ms")
    for name, text in (("tables", "tables of the walk"), ("peak", "the child at most")):
        print(f"  {text:<26} {figures[name] / 2**20:8.1f} MiB  "
              f"{figures[name] / figures['objects']:6.1f} B/object")
    del kept


if __name__ == "__main__":
    main()
