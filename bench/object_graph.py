# SPDX-License-Identifier: MIT
"""Part "objects": what a look at every object costs, for each object, and beside others.

    python bench/object_graph.py [OBJECTS] [--shape mixed|shuffled|linked] [--rounds N]

says it of one heap, with an interpreter that has memwhy.  `gc.collect()` of the same heap
stands beside, as a yardstick of the machine.  Times are of CPU but for the child's and for
the questions, each of which has a process of its own; each figure is the median of the
rounds.  Memory is that of the walk's tables, and the most that the child had of its own.
"""
import argparse
import collections
import gc
import importlib
import json
import os
import random
import statistics
import subprocess
import time

import jobs
from tables import ratio, seconds, table

OBJECTS = 1_000_000
ROUNDS = 3
FAN_IN = 300
TIMEOUT = 300  # seconds for one question: some would take hours
SHAPES_OF_QUESTIONS = ("mixed", "shuffled")

# ── the heaps ──────────────────────────────────────────────────────────────────────────


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


SHAPES = {"mixed": mixed, "shuffled": shuffled, "linked": linked}
kept = {}


def make(shape, count):
    """Such a heap below a variable of this module, and in it an object that many hold, as
    one that a leak keeps is; returns it."""
    gc.disable()
    kept["heap"] = SHAPES[shape](count)
    target = Row(0)
    kept["holders"] = [[target, i] for i in range(FAN_IN)]
    gc.collect()
    return target


# ── what a look costs ──────────────────────────────────────────────────────────────────


def status_bytes(pid, name):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) * 1024


def peak_bytes(pid):
    """What the child had at most above what it shares with us, which it keeps mapped."""
    return status_bytes(pid, "VmHWM:") - status_bytes("self", "VmRSS:")


def here():
    """CPU seconds of a walk and of the analysis, in this process."""
    from memwhy import _memwhy

    start = time.process_time(), time.perf_counter()
    summary = json.loads(_memwhy._heap_ask("summary", 0, 0, 0, 0))
    # A machine that others use too gives less than a second of CPU a second.
    share = (time.process_time() - start[0]) / (time.perf_counter() - start[1])
    return {"walk": summary["walk_ns"] / 1e9 * share, "objects": summary["objects"],
            "analysis": summary["analysis_ns"] / 1e9 * share, "tables": summary["memory"],
            "references": summary["references"]}


def bare_fork():
    """Seconds that a fork takes whose child does nothing: what the kernel asks for."""
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    took = time.perf_counter() - start
    os.waitpid(pid, 0)
    return took


def in_child():
    import memwhy

    fork = bare_fork()
    resident = status_bytes("self", "VmRSS:")
    with memwhy.heap() as heap:
        target = heap.top(1)[0][0]
        start = time.perf_counter()
        heap._child.ask("object", target.id, 1)
        return {"path": time.perf_counter() - start, "pause": heap.summary["pause_ns"] / 1e9,
                "child": (heap.summary["walk_ns"] + heap.summary["analysis_ns"]) / 1e9,
                "resident": resident, "fork": fork,
                "peak": peak_bytes(heap._child._child[0]), "explained": heap.explained}


def look(rounds):
    """Figures of the rounds by name, their medians; seconds and bytes."""
    import memwhy

    memwhy.why(memwhy, forked=False)  # what is made at the first time
    figures = {}
    for _ in range(rounds):
        start = time.process_time()
        gc.collect()
        collect = time.process_time() - start
        for name, value in {"collect": collect, **here(), **in_child()}.items():
            figures.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in figures.items()}


# ── questions to all ───────────────────────────────────────────────────────────────────


class Ours:
    def __init__(self):
        import memwhy

        self.module = memwhy

    def types(self, target):
        with self.module.heap() as heap:
            return heap.types()

    def growth(self, target):
        self.module.growth()
        return timed(self.module.growth)

    def chain(self, target):
        return self.module.why(target, paths=1).paths

    def referrers(self, target):
        try:
            show = importlib.import_module("memwhy.objgraph").show_backrefs
        except ImportError:
            return self.module.why(target, paths=3).paths
        with open(os.devnull, "w") as output:
            return show([target], max_depth=3, output=output)

    def size(self, target):
        return self.module.why(kept["heap"]).retained

    def all_sizes(self, target):
        with self.module.heap() as heap:
            return heap.top(10)

    def again(self, target):
        with self.module.heap() as heap:
            heap.paths(target, 1)
            return timed(heap.paths, target, 1)


class Collector:
    """What the standard library has: gc."""

    def types(self, target):
        return collections.Counter(type(one).__name__ for one in gc.get_objects())

    def referrers(self, target):
        return gc.get_referrers(target)


class Objgraph:
    def __init__(self):
        import objgraph

        self.module = objgraph

    def types(self, target):
        return self.module.most_common_types()

    def growth(self, target):
        self.module.growth()
        return timed(self.module.growth)

    def chain(self, target):
        chain = self.module.find_backref_chain(target, self.module.is_proper_module)
        assert len(chain) > 1
        return chain

    def referrers(self, target):
        with open(os.devnull, "w") as output:
            return self.module.show_backrefs([target], max_depth=3, output=output)


class Pympler:
    def __init__(self):
        from pympler import asizeof, muppy, summary

        self.asizeof, self.muppy, self.summary = asizeof, muppy, summary

    def types(self, target):
        return self.summary.summarize(self.muppy.get_objects())

    def size(self, target):
        return self.asizeof.asizeof(kept["heap"])


class Guppy:
    def __init__(self):
        import guppy

        self.heapy = guppy.hpy()

    def types(self, target):
        return len(self.heapy.heap())

    def size(self, target):
        return self.heapy.iso(kept["heap"]).domisize

    def chain(self, target):
        return str(self.heapy.iso(target).shpaths)


TOOLS = {"memwhy": Ours, "gc": Collector, "objgraph": Objgraph, "pympler": Pympler,
         "guppy3": Guppy}
QUESTIONS = {
    "types": "objects by type",
    "growth": "what grew by type since the call before",
    "chain": f"a chain from a module to an object that {FAN_IN} hold",
    "referrers": "who refers to it (gc: one step; others: a picture of three)",
    "size": "what one object retains",
    "all_sizes": "what each object retains",
    "again": "one more chain, once the heap was looked at",
}
# Column → the tool; each is a name to be left out under where it cannot be had.
COLUMNS = {"objects": "memwhy", "gc": "gc", "objgraph": "objgraph", "pympler": "pympler",
           "guppy3": "guppy3"}


class Timed(float):
    """Seconds that a question measured for itself."""


def timed(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return Timed(time.perf_counter() - start)


def ask(tool, question, target):
    start = time.perf_counter()
    answer = getattr(tool, question)(target)
    whole = time.perf_counter() - start
    return float(answer) if isinstance(answer, Timed) else whole


# ── in the measured process ────────────────────────────────────────────────────────────


def measure(column, shape, count, question=None, tool=None, rounds=ROUNDS):
    """Seconds of one question; without one, what a look costs."""
    asked = TOOLS[tool]() if tool else None
    column.begin()
    target = make(shape, count)
    found = {"figures": look(rounds)} if tool is None else {
        "seconds": ask(asked, question, target)}
    return found | column.end()


# ── in the runner ──────────────────────────────────────────────────────────────────────


def ask_all(runner, count, repeats):
    """{shape: {question: {tool: [seconds]}}}; None for what took too long."""
    found = {}
    for shape in SHAPES_OF_QUESTIONS:
        for question in QUESTIONS:
            for column, tool in COLUMNS.items():
                if hasattr(TOOLS[tool], question) and column not in runner.skipped:
                    jobs.progress(f"objects, {shape}, {question}, {tool}")
                    times = ask_often(runner, column, repeats, {
                        "shape": shape, "count": count, "question": question, "tool": tool})
                    found.setdefault(shape, {}).setdefault(question, {})[tool] = times
    return found


def ask_often(runner, column, repeats, arguments):
    times = []
    for _ in range(repeats):
        try:
            answer = runner.run("object_graph", column, arguments, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return None
        if answer is None:
            return []
        times.append(jobs.rounded(answer["seconds"]))
    return times


def run(runner, options):
    count = max(1000, int(OBJECTS * options.scale))
    found = {"objects": count, "looks": {}}
    for shape in SHAPES:
        jobs.progress(f"objects, {shape}")
        arguments = {"shape": shape, "count": count, "rounds": options.repeat or ROUNDS}
        figures = runner.run("object_graph", "objects", arguments)["figures"]
        found["looks"][shape] = {name: jobs.rounded(value) for name, value in figures.items()}
    found["questions"] = ask_all(runner, count, options.repeat or ROUNDS)
    return found


# ── tables ─────────────────────────────────────────────────────────────────────────────


def row_of_look(shape, of):
    each = 1e9 / of["objects"]
    return [shape, f"{of['objects']:,.0f}", f"{of['references'] / of['objects']:.2f}",
            f"{of['walk'] * each:.1f} ns", f"{(of['walk'] + of['analysis']) * each:.1f} ns",
            f"{of['child'] * each:.1f} ns",
            ratio(of["walk"] / of["collect"]), ratio((of["walk"] + of["analysis"]) / of["collect"]),
            f"{of['tables'] / of['objects']:.1f} B", f"{of['peak'] / of['objects']:.1f} B",
            f"{of['pause'] * 1000 / (of['resident'] / 2**30):.1f} ms",
            ratio(of["pause"] / of["fork"]), seconds(of["path"]),
            f"{of['explained']:.3%}"]


def show_looks(looks):
    heads = ["each object", "objects", "references each", "walk", "walk and analysis",
             "both in the child (clock)", "walk / gc.collect", "both / gc.collect",
             "tables of the walk", "the child at most", "pause for each GiB resident",
             "pause / a bare fork", "a path afterwards", "counts explained"]
    rows = zip(*[heads, *(row_of_look(shape, of) for shape, of in looks.items())])
    (first, *others), *rows = rows
    return table([first, *others], rows)


def cell(times):
    if times is None:
        return f"> {TIMEOUT} s"
    return seconds(jobs.median(times)) if times else "–"


def show_questions(shape, questions, count):
    tools = [tool for tool in TOOLS if any(tool in of for of in questions.values())]
    rows = [[QUESTIONS[question], *(cell(of[tool]) if tool in of else "" for tool in tools)]
            for question, of in questions.items()]
    return table([f"{shape}, {count:,} objects", *tools], rows)


def show(result):
    """The tables, in Markdown."""
    if not result:
        return ""
    texts = [show_looks(result["looks"])]
    texts += [show_questions(shape, questions, result["objects"])
              for shape, questions in result["questions"].items()]
    return "\n".join(texts)


# ── by itself ──────────────────────────────────────────────────────────────────────────


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", nargs="?", type=int, default=OBJECTS)
    parser.add_argument("--shape", choices=list(SHAPES), default="mixed")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    make(options.shape, options.objects)
    print(show_looks({options.shape: look(options.rounds)}), end="")


if __name__ == "__main__":
    main()
