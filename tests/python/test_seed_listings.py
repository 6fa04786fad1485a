# SPDX-License-Identifier: MIT
"""The listings that people find when they look for tracemalloc (its documentation, notes,
articles), run with the standard module and with memwhy's: the tables are the same.

Compared as they are, but for what is said of the tracer itself:

  * rows for lines of tracemalloc.py: what a snapshot is made of.  The standard module's is
    made of Python objects, which it traces; ours is not.
  * "trace alloc module use memory", which is the tracer's own size.
  * totals, which contain those rows: equal within TOTAL_TOLERANCE_KIB.
  * a block or two in a row, where free lists matter: the Python objects of the standard
    module's snapshots are taken from them and left in them, and the program's likewise.
    Before 3.13 that is everywhere; since then only in the decorator, which takes its first
    snapshot just before the program runs.  A row may so be there in one table only: whether
    its one dict was allocated or came from the free list, and so was older than the tracing,
    depends on what was imported before.
"""
import itertools
import re
import sys

import pytest

from processes import PROGRAMS, environment, python

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

LISTINGS = PROGRAMS / "seeds"
TOTALS = re.compile(r"(current size|peak size|\d+ other|Total allocated size): ([\d.]+) KiB")
TOTAL_TOLERANCE_KIB = 2
ROW = re.compile(r"(?P<place>.*): size=(?P<size>\S+ \S+)( \(\S+ \S+\))?, count=(?P<count>\d+)")
COUNT = re.compile(r"blocks count: (\d+)|(\d+) memory blocks")
BLOCKS_ASTRAY = 0 if sys.version_info >= (3, 13) else 1
BLOCKS_ASTRAY_IN_DECORATOR = 3


def table(module, name, *arguments):
    """The lines that a listing prints, without those about the tracer."""
    done = python(LISTINGS / f"{name}.py", module, *arguments, timeout=300,
                  env=environment(PYTHONHASHSEED="0"))
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines()
            if "/tracemalloc.py:" not in line and not line.startswith("trace alloc module use")]


def count_of(line):
    found = ROW.match(line)
    if found:
        return found["place"], int(found["count"])
    found = COUNT.match(line)
    return ("", int(found[1] or found[2])) if found else None


def is_same(ours, theirs, blocks_astray):
    if ours == theirs:
        return True
    our_total, their_total = TOTALS.match(ours), TOTALS.match(theirs)
    if our_total and their_total:
        return abs(float(our_total[2]) - float(their_total[2])) <= TOTAL_TOLERANCE_KIB
    our_count, their_count = count_of(ours), count_of(theirs)
    return (our_count is not None and their_count is not None and our_count[0] == their_count[0]
            and abs(our_count[1] - their_count[1]) <= blocks_astray)


def without_rows_astray(lines, others, blocks_astray):
    """Without rows of so few blocks that the other table need not have them, and has not."""
    places = {ROW.match(line)["place"] for line in others if ROW.match(line)}
    rows = [(line, ROW.match(line)) for line in lines]
    return [line for line, row in rows
            if not row or row["place"] in places or int(row["count"]) > blocks_astray]


def check(name, *arguments, blocks_astray=BLOCKS_ASTRAY):
    mine = table("memwhy.tracemalloc", name, *arguments)
    other = table("tracemalloc", name, *arguments)
    ours = without_rows_astray(mine, other, blocks_astray)
    theirs = without_rows_astray(other, mine, blocks_astray)
    pairs = itertools.zip_longest(ours, theirs, fillvalue="(no line)")
    different = [f"ours:   {mine}\ntheirs: {other}" for mine, other in pairs
                 if not is_same(mine, other, blocks_astray)]
    assert not different, "\n".join(different)
    return mine


def test_top_ten():
    assert len(check("top_ten")) == 11


def test_differences():
    assert len(check("differences")) == 11


def test_traceback_of_the_biggest_block():
    lines = check("biggest_traceback")
    assert re.match(r"\d+ memory blocks: [\d.]+ KiB$", lines[0])
    assert any("keep([Session(number)" in line for line in lines)


def test_pretty_top():
    lines = check("pretty_top")
    assert lines[0] == "Top 10 lines"
    assert any(line.startswith("#10: ") for line in lines)


def test_waste_memory_by_line():
    first, *_ = check("waste_memory_by_line")
    # Ten thousand byte strings of a hundred, and what their instances keep them in.
    assert re.search(r"waste_memory\.py:11: size=\d+ KiB \(\+\d+ KiB\), count=\d{5} ", first)


def test_waste_memory_by_traceback():
    lines = check("waste_memory_by_traceback")
    assert lines[0] == "Biggest offender is:"
    sources = [line.strip() for line in lines[1:] if not line.startswith("  File ")]
    assert sources == ["x = waste_memory.run()", "deep_values.append(get_data())",
                       "obj = MyObject()", "self.data = os.urandom(100)"]


@pytest.mark.parametrize("key_type", ["lineno", "traceback", "deference"])
def test_the_decorator_memory_trace(key_type):
    lines = check("memory_trace_example", key_type, "20000",
                  blocks_astray=BLOCKS_ASTRAY_IN_DECORATOR)
    assert any("mem-trace " in line and "memory_trace_example.py" in line for line in lines)


def test_what_grew():
    assert check("what_grew")[-2:] == ["refused", "refused"]
