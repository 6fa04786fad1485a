# SPDX-License-Identifier: MIT
"""One measurement of one tracer on one heap, in a process of its own; see run.py.

    heap.py memwhy|tracemalloc|none BLOCKS

Builds BLOCKS live blocks (tuples, lists and strings, allocated on a few lines below a few
frames), then takes a snapshot, groups it by line, adds a little and compares.  Prints one
JSON object: seconds of each step, and bytes.
"""
import gc
import json
import resource
import sys
import time


def tuples(count):
    return [(i, i + 1) for i in range(count)]


def lists(count):
    return [[i] for i in range(count)]


def strings(count):
    return ["item %d of the heap" % i for i in range(count)]


def build(blocks):
    """About [blocks] live blocks: a tuple or str is one, a list two, most ints one more."""
    share = blocks // 10
    return [tuples(share * 2), lists(share), strings(share * 2)]


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main():
    tracer, blocks = sys.argv[1], int(sys.argv[2])
    module = None
    if tracer == "memwhy":
        import memwhy.tracemalloc as module
    elif tracer == "tracemalloc":
        import tracemalloc as module
    gc.disable()
    before = resident_bytes()
    if module:
        module.start()
    started = time.perf_counter()
    heap = build(blocks)
    result = {"build": time.perf_counter() - started, "resident": resident_bytes() - before}
    if module:
        result["metadata"] = module.get_tracemalloc_memory()

        started = time.perf_counter()
        first = module.take_snapshot()
        result["take_snapshot"] = time.perf_counter() - started
        result["blocks"] = len(first.traces)

        started = time.perf_counter()
        first.statistics("lineno")
        result["statistics"] = time.perf_counter() - started

        heap.append(lists(1000))
        second = module.take_snapshot()
        started = time.perf_counter()
        second.compare_to(first, "lineno")
        result["compare_to"] = time.perf_counter() - started
        result["resident_at_end"] = resident_bytes() - before
    print(json.dumps(result))


main()
