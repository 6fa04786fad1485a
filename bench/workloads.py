# SPDX-License-Identifier: MIT
"""Programs that allocate, each for one to three seconds at scale 1 (see `WORKLOADS`).

The suite is the list that the project's goals are about.  The shapes vary how deep and how
varied the stack is.  The strangers are programs that nobody here has tuned anything for:
pydoc, unchanged, on the standard library; a solver of sudokus; and the C-heavy modules of
the standard library that make objects for others to keep.

Each takes the number of rounds to make, at least one.
"""
import ast
import asyncio
import collections
import csv
import decimal
import email
import email.policy
import functools
import importlib
import io
import json
import pickle
import pydoc
import queue
import random
import re
import sqlite3
import threading
import time
import xml.etree.ElementTree as ElementTree

# ── the suite ──────────────────────────────────────────────────────────────────────────


def work_json(rounds):
    data = [{"id": i, "name": "n%d" % i, "tags": ["a", "b", i], "x": i * 0.5} for i in range(2000)]
    for _ in range(rounds):
        json.loads(json.dumps(data))


def work_comprehensions(rounds):
    for _ in range(rounds):
        kept = [[i, (i, i)] for i in range(10000)]
        kept = {i: [i] for i in range(10000)}
        kept = {(i, str(i)) for i in range(10000)}
    return kept


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y


class SlottedPoint:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


def work_objects(rounds):
    for _ in range(rounds):
        kept = [Point(i, [i]) for i in range(10000)]
    return kept


def work_slots(rounds):
    for _ in range(rounds):
        kept = [SlottedPoint(i, (i, i)) for i in range(10000)]
    return kept


def descend(depth):
    """Each level allocates, on its way down and on its way up."""
    here = [depth]
    return [here, descend(depth - 1)] if depth else here


def work_recursion_60(rounds):
    for _ in range(rounds):
        descend(60)


class Node:
    __slots__ = ("key", "less", "more")

    def __init__(self, key):
        self.key = key
        self.less = None
        self.more = None


def insert(node, key):
    """The way to a leaf is the leaf's own: no two allocations have the same call path."""
    if node is None:
        return Node(key)
    if key < node.key:
        node.less = insert(node.less, key)
    else:
        node.more = insert(node.more, key)
    return node


def work_tree(rounds):
    random_numbers = random.Random(1)
    root = None
    for _ in range(rounds):
        for _ in range(1000):
            root = insert(root, random_numbers.random())
    return root


def work_strings(rounds):
    pattern = re.compile(r"(\w+)-(\d+)")
    for _ in range(rounds):
        for i in range(1000):
            text = "word-%d other-%d" % (i, i)
            pattern.findall(text)
            pattern.sub(r"\2:\1", text)
            text.upper().split()
            "/".join([text, text[3:]]).replace("o", "0")


def work_floats(rounds):
    for _ in range(rounds):
        x = y = 0.1
        path = []
        for _ in range(10000):
            x, y = x + 0.01 * (y - x * x), y + 0.02 * (x - y * 0.5)
            path.append(x * y)
        sum([a * 2.0 for a in path])
    return path


MESSAGE = """From: a@example.org
To: b@example.org, c@example.org
Subject: =?utf-8?q?re=C3=A7u?= and some more
Content-Type: multipart/mixed; boundary="x"

--x
Content-Type: text/plain; charset=utf-8

Hello.
--x
Content-Type: text/html

<p>Hello.</p>
--x--
"""


def work_parsers(rounds):
    xml = "<r>" + "".join("<a k='%d'><b>%d</b></a>" % (i, i) for i in range(500)) + "</r>"
    source = "\n".join("def f%d(a):\n    return [a + %d for _ in a]" % (i, i) for i in range(50))
    for _ in range(rounds):
        kept = [ElementTree.fromstring(xml), ast.parse(source)]
        for _ in range(3):
            message = email.message_from_string(MESSAGE, policy=email.policy.default)
            kept += [message, message["subject"], message["to"].addresses]
    return kept


def consume(jobs):
    while (job := jobs.get()) is not None:
        [json.loads(text) for text in job]


def use_threads(texts):
    jobs = queue.SimpleQueue()
    threads = [threading.Thread(target=consume, args=(jobs,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(12):
        jobs.put(texts)
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join()


async def handle(requests, answers):
    while (request := await requests.get()) is not None:
        await asyncio.sleep(0)
        await answers.put({"id": request, "body": ["answer", str(request)]})


async def serve():
    requests, answers = asyncio.Queue(10), asyncio.Queue()
    handlers = [asyncio.create_task(handle(requests, answers)) for _ in range(5)]
    for request in range(250):
        await requests.put(request)
    for _ in handlers:
        await requests.put(None)
    await asyncio.gather(*handlers)


def work_concurrency(rounds):
    texts = [json.dumps({"id": i, "tags": ["a", i], "x": i * 0.5}) for i in range(60)]
    for _ in range(rounds):
        use_threads(texts)
        asyncio.run(serve())


def make_item(i):
    """One of several kinds of thing, none of them shared: about eight blocks each."""
    kind = i % 5
    if kind == 0:
        return {"id": i, "text": "item %d" % i, "pair": (i, i + 1)}
    if kind == 1:
        return [[i], [i + 1], [str(i)], (i, float(i))]
    if kind == 2:
        return Point([i, float(i)], {i})
    if kind == 3:
        return tuple(("t", n, str(n)) for n in (i, i + 1))
    return SlottedPoint("s%d" % i, bytearray(40))


def work_mixed(rounds):
    """A heap of many kinds that grows to its size, then turns over a quarter."""
    items = [make_item(i) for i in range(10000 * rounds)]
    random_numbers = random.Random(2)
    for i in range(2500 * rounds):
        items[random_numbers.randrange(len(items))] = make_item(i)
    return items


# ── shapes of stacks ───────────────────────────────────────────────────────────────────


def descend_to_leaf(depth):
    return descend_to_leaf(depth - 1) if depth else [[i] for i in (1, 2, 3)]


def work_recursion_60_leaf(rounds):
    for _ in range(rounds):
        descend_to_leaf(60)


def work_recursion_200_leaf(rounds):
    for _ in range(rounds):
        descend_to_leaf(200)


async def await_deep(depth):
    if depth > 1:
        return [await await_deep(depth - 1)]
    kept = [[i] for i in range(10)]
    await asyncio.sleep(0)
    return kept


async def await_often(depth, rounds):
    for _ in range(rounds):
        await asyncio.gather(*[await_deep(depth) for _ in range(20)])


def work_await_1(rounds):
    asyncio.run(await_often(1, rounds))


def work_await_7(rounds):
    asyncio.run(await_often(7, rounds))


def work_await_26(rounds):
    asyncio.run(await_often(26, rounds))


def numbers(count):
    for i in range(count):
        yield (i, str(i))


def pairs_of(source):
    for item in source:
        yield [item, item[1] + "x"]


def grouped(source):
    group = []
    for item in source:
        group.append(item)
        if len(group) == 10:
            yield tuple(group)
            group = []


def work_generators(rounds):
    for _ in range(rounds):
        for group in grouped(pairs_of(pairs_of(numbers(1000)))):
            {item[1]: item for item in group}


# ── strangers ──────────────────────────────────────────────────────────────────────────

DOCUMENTED = ["argparse", "json", "textwrap", "threading", "queue", "shutil", "inspect", "enum"]


def work_pydoc(rounds):
    for i in range(rounds):
        name = DOCUMENTED[i % len(DOCUMENTED)]
        module = importlib.import_module(name)
        pydoc.html.document(module, name)
        pydoc.plaintext.document(module, name)


ROWS, COLUMNS = "ABCDEFGHI", "123456789"
SQUARES = [row + column for row in ROWS for column in COLUMNS]
PUZZLES = (
    "4.....8.5.3..........7......2.....6.....8.4......1.......6.3.7.5..2.....1.4......",
    "..3.2.6..9..3.5..1..18.64....81.29..7.......8..67.82....26.95..8..2.3..9..5.1.3..",
    "85...24..72......9..4.........1.7..23.5...9...4...........8..7..17..........36.4.",
)


@functools.cache
def peers_of(square):
    row, column = ROWS.index(square[0]), COLUMNS.index(square[1])
    return [other for other in SQUARES if other != square and (
        other[0] == square[0] or other[1] == square[1]
        or (ROWS.index(other[0]) // 3, COLUMNS.index(other[1]) // 3) == (row // 3, column // 3))]


def place(board, square, digit):
    """The board with that digit there, and what follows from it; None when nothing fits."""
    board = {**board, square: digit}
    for peer in peers_of(square):
        left = board[peer].replace(digit, "")
        if left == board[peer]:
            continue
        if not left:
            return None
        board = {**board, peer: left} if len(left) > 1 else place({**board, peer: left}, peer, left)
        if board is None:
            return None
    return board


def solve(board):
    square = min((s for s in SQUARES if len(board[s]) > 1), key=lambda s: len(board[s]), default="")
    if not square:
        return board
    for digit in board[square]:
        tried = place(board, square, digit)
        solved = tried and solve(tried)
        if solved:
            return solved
    return None


def work_sudoku(rounds):
    for _ in range(rounds):
        for puzzle in PUZZLES:
            board = {square: COLUMNS for square in SQUARES}
            for square, given in zip(SQUARES, puzzle):
                if given != ".":
                    board = place(board, square, given)
            assert solve(board)


Record = collections.namedtuple("Record", "number name amount")


def work_library(rounds):
    """csv, sqlite3, decimal and pickle: C code that makes objects."""
    for _ in range(rounds):
        records = [Record(i, "name %d" % i, decimal.Decimal(i) / 7) for i in range(300)]
        text = io.StringIO()
        csv.writer(text).writerows(records)
        read = list(csv.DictReader(io.StringIO(text.getvalue()), Record._fields))
        with sqlite3.connect(":memory:") as database:
            database.execute("create table t (number, name, amount)")
            database.executemany("insert into t values (:number, :name, :amount)", read)
            sum(decimal.Decimal(amount) for _, _, amount in database.execute("select * from t"))
        database.close()
        pickle.loads(pickle.dumps([records, read]))


# ── one run ────────────────────────────────────────────────────────────────────────────

# Name → rounds at scale 1, and the table that it belongs to.
WORKLOADS = {
    "json": (480, "suite"),
    "comprehensions": (180, "suite"),
    "objects": (360, "suite"),
    "slots": (500, "suite"),
    "recursion_60": (270000, "suite"),
    "tree": (400, "suite"),
    "strings": (450, "suite"),
    "floats": (1200, "suite"),
    "parsers": (390, "suite"),
    "concurrency": (520, "suite"),
    "mixed": (70, "suite"),
    "recursion_60_leaf": (600000, "shapes"),
    "recursion_200_leaf": (80000, "shapes"),
    "await_1": (12000, "shapes"),
    "await_7": (10000, "shapes"),
    "await_26": (5000, "shapes"),
    "generators": (4000, "shapes"),
    "pydoc": (24, "strangers"),
    "sudoku": (75, "strangers"),
    "library": (600, "strangers"),
}


def names(table=None):
    return [name for name, (_, of) in WORKLOADS.items() if table in (None, of)]


def measure(column, name, scale):
    """Seconds of one run of [name], of this process's CPU time and by the clock."""
    work = globals()["work_" + name]
    rounds = max(1, round(WORKLOADS[name][0] * scale))
    column.begin()
    wall = time.perf_counter()
    cpu = time.process_time()
    work(rounds)
    found = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    return found | column.end()
