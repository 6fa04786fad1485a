# SPDX-License-Identifier: MIT
"""Runs workloads under memwhy and the standard tracemalloc at once, in one process, and
compares what both know of every live block.

memwhy is started second, so its hooks are wrapped around tracemalloc's and both see the
same calls.  Prints one line for each traceback on which they disagree, then a line
`compared N tracebacks, M differ`, and exits with status 1 if any does.

    differential.py [--seed N] [--nframe N] [--free-lists exact|may-differ] [--filters]

With --filters, memwhy is started with random filters, and what tracemalloc knows is filtered
by the same.

Where memwhy is not told of objects taken from free lists (MEMWHY_DISABLE=reuse),
`may-differ` lets a block have another site as long as it is one and the same block with
the same size in both.  Both are told the same way as a rule; `exact` also demands that
memwhy is told at all.
"""
import argparse
import ast
import asyncio
import collections
import email
import email.policy
import functools
import gc
import importlib
import json
import random
import re
import sys
import threading
import tracemalloc
import types
import xml.etree.ElementTree as ElementTree
import zlib

import memwhy

KEPT = []


def work_json(rng):
    data = [{"id": i, "name": f"n{i}" * rng.randint(1, 9), "tags": list(range(rng.randint(0, 9)))}
            for i in range(300)]
    KEPT.append(json.loads(json.dumps(data)))


def work_re(rng):
    pattern = re.compile("|".join(f"w{rng.randint(0, 10**6)}x*" for _ in range(20)))
    KEPT.append([pattern, pattern.findall("w12xxx w3 " * 100)])


def work_email(rng):
    text = "\n".join(f"X-Header-{i}: value {rng.random()}" for i in range(50)) + "\n\nbody\n" * 5
    KEPT.append(email.message_from_string(text, policy=email.policy.default).items())


def work_xml(rng):
    text = "<root>" + "".join(f"<a k='{i}'><b>{rng.random()}</b></a>" for i in range(200)) + "</root>"
    KEPT.append(ElementTree.fromstring(text))


def work_ast(rng):
    source = "\n".join(f"def f{i}(a, *b, **c):\n    return [a + {rng.random()} for _ in b]"
                       for i in range(40))
    KEPT.append(ast.parse(source))


def work_compile(rng):
    """Code objects that die and others that are born in their place."""
    for i in range(60):
        source = "def g(x):\n" + "\n" * rng.randint(0, 5) + "    return [x] * 7\nk = g(3)\n"
        namespace = {}
        exec(compile(source, f"<generated {i % 7}>", "exec"), namespace)
        KEPT.append(namespace["k"])
    KEPT.append(collections.namedtuple("Point", "x y")(1, 2))


def work_generators(rng):
    def leaf(n):
        for i in range(n):
            yield [i]

    def chain(n, depth):
        if depth:
            yield from chain(n, depth - 1)
        else:
            yield from leaf(n)

    KEPT.append([list(chain(rng.randint(1, 30), rng.randint(0, 12))) for _ in range(10)])
    suspended = [chain(3, depth) for depth in range(8)]
    KEPT.append([next(g) for g in suspended])
    KEPT.append(suspended)


def work_recursion(rng):
    def descend(n):
        here = [n]
        return [here, descend(n - 1)] if n else here

    KEPT.append(descend(rng.randint(50, 400)))


def work_closures(rng):
    def outer(a):
        def inner(b):
            return lambda c: (a, b, c, [a])

        return inner

    KEPT.append([outer(i)(i)(i) for i in range(100)])
    KEPT.append([functools.partial(outer, i)() for i in range(100)])


def work_realloc(rng):
    growing = bytearray()
    for _ in range(200):
        growing += b"x" * rng.randint(0, 2000)
        if rng.random() < 0.1:
            del growing[rng.randint(0, len(growing)):]
    text = ""
    for _ in range(200):
        text += "y" * rng.randint(1, 50)
    items = []
    for i in range(3000):
        items.append(i)
        if rng.random() < 0.3:
            items.pop()
    KEPT.append([growing, text, items])


def work_sizes(rng):
    KEPT.append([bytes(size) for size in range(0, 700)])
    KEPT.append([bytes(rng.randint(0, 100000)) for _ in range(100)])


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a
        self.b = [a]


class Plain:
    def __init__(self, a):
        self.a = a
        self.b = {a: a}

    def __getattr__(self, name):
        return [name]

    @property
    def both(self):
        return (self.a, self.b)


def work_objects(rng):
    KEPT.append([Slotted(i) for i in range(100)])
    KEPT.append([Plain(i) for i in range(100)])
    KEPT.append([Plain(i).missing for i in range(20)])
    KEPT.append([Plain(i).both for i in range(20)])
    KEPT.append(sorted([[i] for i in range(100)], key=lambda x: [-x[0]]))
    KEPT.append(types.new_class("Made", (Plain,), {}, lambda ns: ns.update(x=[1])))


def work_exceptions(rng):
    def fail(n):
        kept = [n]
        if n:
            fail(n - 1)
        raise ValueError(kept)

    for depth in range(5):
        try:
            fail(depth)
        except ValueError as error:
            KEPT.append(error)


def work_asyncio(rng):
    async def leaf(i):
        await asyncio.sleep(0)
        return [i] * 3

    async def middle(i):
        return [await leaf(i)]

    async def main():
        return await asyncio.gather(*(middle(i) for i in range(50)))

    KEPT.append(asyncio.run(main()))


def work_threads(rng):
    """Also calls zlib, which allocates in the RAW domain without the GIL."""
    results = []

    def body(n):
        data = bytes(n % 251 for n in range(20000))
        packed = zlib.compress(data)
        results.append([zlib.decompress(packed)[:100], [n] * 10, zlib.compressobj()])

    threads = [threading.Thread(target=body, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    KEPT.append(results)


def work_zlib(rng):
    packer = zlib.compressobj()
    packed = packer.compress(bytes(100000)) + packer.flush()
    unpacker = zlib.decompressobj()
    KEPT.append([unpacker.decompress(packed, 1000), unpacker, zlib.decompress(packed)])


def work_import(rng):
    for name in rng.sample(["csv", "decimal", "fractions", "html.parser", "calendar", "plistlib",
                            "statistics", "colorsys", "cmd", "difflib"], 3):
        sys.modules.pop(name, None)
        KEPT.append(importlib.import_module(name))


def work_free_lists(rng):
    """Objects of each kind that has a free list, dropped and made again by other lines."""
    makers = [lambda: [rng.random() for _ in range(150)],
              lambda: [(rng.random(), i) for i in range(60)] + [(i,) * 7 for i in range(60)],
              lambda: [[i] for i in range(120)],
              lambda: [{i: i} for i in range(120)],
              lambda: [slice(i, None) for i in range(3)] + [{i} for i in range(20)],
              lambda: [work_free_lists.__get__(i) for i in range(20)],
              lambda: [iter([i]) for i in range(20)] + [map(str, [i]) for i in range(20)]]
    for _ in range(8):
        kept = [make() for make in rng.sample(makers, len(makers))]
        rng.shuffle(kept)
        KEPT.append(kept[0])


def work_release(rng):
    """Frees a part of what is kept, so that addresses are used again."""
    rng.shuffle(KEPT)
    del KEPT[: len(KEPT) // 3]
    gc.collect()


WORKLOADS = [function for name, function in sorted(globals().items()) if name.startswith("work_")]


PATTERNS = [__file__, "*", "*/json/*", "*/re/*.py", "*/email/*", "<frozen *", "<generated [0-3]>",
            "*.pyc", "*/asyncio/*", "*/threading.py", "<unknown>", "*/ElementTree.py"]


def random_filters(rng):
    """One to four (inclusive, pattern, lineno, all_frames, domain)."""
    lines = [function.__code__.co_firstlineno + rng.randint(1, 12) for function in WORKLOADS]
    return [(rng.random() < 0.7, rng.choice(PATTERNS), rng.choice(lines + [None] * 80),
             rng.random() < 0.5, rng.choice([None] * 8 + [0, 1]))
            for _ in range(rng.randint(1, 4))]


def made(module, filters):
    return [module.Filter(*one) for one in filters]


def tally(traces):
    counts = collections.Counter()
    sizes = collections.Counter()
    for _domain, size, frames, total in traces:
        counts[frames, total] += 1
        sizes[frames, total] += size
    return counts, sizes


def is_of_the_comparison(key):
    """Between the two looks the comparison itself allocates the snapshot and the list."""
    (filename, line), *_ = key[0]
    return filename == __file__ and line in COMPARISON_LINES


# Renamed in 3.13.
CLEAR_TYPE_CACHE = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache


def compare(take_ours, take_theirs, collect, clear_type_cache):
    """Looks through both at one moment, or nearly: between the looks the interpreter makes
    the objects of the first answer.  Were they taken from free lists, blocks that the
    first look saw at their old lines would move; so the lists are emptied before, which a
    full collection does.  The cache of type attributes owns names, and looking one up may
    drop another, so it is emptied too."""
    gc.disable()
    clear_type_cache()
    collect()
    ours = take_ours()
    theirs = take_theirs()
    gc.enable()
    return ours, theirs


# Made before anything is traced: numbers made by a traced line may come from the free list
# that ints have since 3.14.  Where memwhy is not told of it, they would be blocks of the
# comparison to tracemalloc alone, and so all that is compared would seem to have lost some.
COMPARISON_LINES = {line for *_, line in compare.__code__.co_lines()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nframe", type=int, default=300)
    parser.add_argument("--free-lists", choices=["exact", "may-differ"], default="exact")
    parser.add_argument("--filters", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    filters = random_filters(random.Random(-1 - options.seed)) if options.filters else []

    tracemalloc.start(options.nframe)
    memwhy.start(options.nframe, filters=made(memwhy, filters))
    is_told, *how = memwhy._memwhy._check_reuse()
    print(f"objects from free lists: {how}")
    if is_told != (options.free_lists == "exact"):
        return 1
    tracemalloc.clear_traces()
    memwhy.clear_traces()
    for _ in range(2):
        for workload in rng.sample(WORKLOADS, len(WORKLOADS)):
            workload(rng)
    ours, theirs = compare(memwhy.take_snapshot, tracemalloc._get_traces, gc.collect,
                           CLEAR_TYPE_CACHE)
    are_tallied = memwhy._memwhy._check_tallies()
    memwhy.stop()
    tracemalloc.stop()

    if filters:
        snapshot = tracemalloc.Snapshot(theirs, options.nframe)
        theirs = snapshot.filter_traces(made(tracemalloc, filters)).traces._traces
        print(f"filters: {filters}")
    our_counts, our_sizes = tally(ours.traces._traces)
    their_counts, their_sizes = tally(theirs)
    differing = [key for key in our_counts.keys() | their_counts.keys()
                 if (our_counts[key], our_sizes[key]) != (their_counts[key], their_sizes[key])
                 and not is_of_the_comparison(key)]
    for key in differing[:20]:
        print(f"ours {our_counts[key]} blocks {our_sizes[key]} B, "
              f"theirs {their_counts[key]} blocks {their_sizes[key]} B: "
              f"{key[0][:4]} of {key[1]} frames")
    if options.free_lists == "may-differ":
        # What differs must be the same blocks under other names.
        extra = [sum(counts[key] for key in differing) for counts in (our_counts, their_counts)]
        extra_bytes = [sum(sizes[key] for key in differing) for sizes in (our_sizes, their_sizes)]
        print(f"blocks that differ: {extra}, bytes: {extra_bytes}")
        moved = extra[0] == extra[1] and extra_bytes[0] == extra_bytes[1]
        differing = [] if moved else differing
    print(f"compared {len(their_counts)} tracebacks of {sum(their_counts.values())} blocks, "
          f"{len(differing)} differ")
    if not are_tallied:
        print("the online tallies are not what a full scan counts")
    return 1 if differing or not are_tallied else 0


if __name__ == "__main__":
    sys.exit(main())
