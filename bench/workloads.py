# SPDX-License-Identifier: MIT
"""Programs that allocate, for run.py: `workloads.py NAME TRACER` prints the CPU seconds of
one run under that tracer: none, memwhy, tracemalloc1 or tracemalloc25.
"""
import ast
import json
import re
import sys
import time
import xml.etree.ElementTree as ElementTree


def work_json():
    data = [{"id": i, "name": "n%d" % i, "tags": ["a", "b", i], "x": i * 0.5} for i in range(2000)]
    text = json.dumps(data)
    for _ in range(240):
        json.loads(text)


def work_comprehensions():
    for _ in range(80):
        kept = [[i, (i, i)] for i in range(10000)]
        kept = {i: [i] for i in range(10000)}
    return kept


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y


def work_objects():
    for _ in range(90):
        kept = [Point(i, [i]) for i in range(10000)]
    return kept


def work_recursion():
    def descend(depth):
        return [descend(depth - 1)] if depth else [0]

    for _ in range(60000):
        descend(60)


def work_strings():
    pattern = re.compile(r"(\w+)-(\d+)")
    for i in range(300000):
        text = "word-%d other-%d" % (i, i)
        pattern.findall(text)
        text.upper().split()


def work_parsers():
    xml = "<r>" + "".join("<a k='%d'><b>%d</b></a>" % (i, i) for i in range(500)) + "</r>"
    source = "\n".join("def f%d(a):\n    return [a + %d for _ in a]" % (i, i) for i in range(100))
    for _ in range(150):
        ElementTree.fromstring(xml)
        ast.parse(source)


def main():
    name, tracer = sys.argv[1:]
    if tracer == "memwhy":
        import memwhy

        memwhy.start()
    elif tracer.startswith("tracemalloc"):
        import tracemalloc

        tracemalloc.start(int(tracer.removeprefix("tracemalloc")))
    started = time.process_time()
    globals()["work_" + name]()
    print(time.process_time() - started)


NAMES = [name.removeprefix("work_") for name in list(globals()) if name.startswith("work_")]

if __name__ == "__main__":
    main()
