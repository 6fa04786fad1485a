# SPDX-License-Identifier: MIT
"""Leaks as issue trackers tell of them, rebuilt small: the first suspect is the truth."""
import pytest

from processes import PROGRAMS, run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

STORIES = PROGRAMS / "leak_stories"
NAMES = sorted(path.stem for path in STORIES.glob("*.py"))


def suspects_of(name, heap_subject):
    """Runs a story as a traced program, and then compares what is suspected with its TRUTH:
    a dict with the kind of suspect, the expression of who holds, whose objects and how many
    are kept, and the function whose lines allocated most of it."""
    return run("""
import sys
import memwhy
memwhy.start()
story, extensions = sys.argv[1:]
sys.path.insert(0, extensions)
with open(story) as file:
    exec(compile(file.read(), story, "exec"))
with memwhy.heap() as heap:
    suspects = heap.suspects()
assert suspects, "nobody is suspected"
first = suspects[0]
print(first)
assert first.kind == TRUTH["kind"], suspects
assert first.path.expression == TRUTH["held at"], suspects
kind, count = TRUTH["kept"]
if first.kind == "many":
    assert (first.node.type, first.objects) == (kind, count), suspects
    assert first.path.root["kind"] == "held-from-c"
else:
    rows = {row.type: row.count for row in first.retained_types}
    assert rows.get(kind) == count, rows
# Until 3.11 a comprehension is a function of its own.
largest = first.retained_sites[0]
assert largest.file == story, first.retained_sites
assert largest.function.startswith(TRUTH["allocated by"]), first.retained_sites
# Nearly all that the program has made: nobody else comes near.
assert all(first.bytes > 2 * other.bytes for other in suspects[1:]), suspects
""", STORIES / f"{name}.py", heap_subject)


def test_there_are_five_stories():
    assert len(NAMES) == 5


@pytest.mark.parametrize("name", NAMES)
def test_the_first_suspect_is_the_truth(name, heap_subject):
    text = suspects_of(name, heap_subject)
    assert "__main__" in text


def test_the_bookshop_s_three_leaks_are_suspected():
    """examples/leaky_service, whose README says what leaks; `make demo` finds the lines."""
    run("""
import logging, sys, threading
sys.path.insert(0, sys.argv[1])
import memwhy
memwhy.start()
import load, service
logging.disable(logging.CRITICAL)
load.VISITS = 60
shop = service.Shop(("127.0.0.1", 0))
threading.Thread(target=shop.serve_forever, name="server", daemon=True).start()
load.run(shop.server_address[1])
with memwhy.heap() as heap:
    suspects = {s.path.expression.rpartition("shop.")[2]: s for s in heap.suspects(0.02) if s.path}
    for holder, line in (("orders.refused", "json/decoder.py"),
                         ("updates._mailboxes", "updates.py"),
                         ("timings._seconds", "timings.py")):
        assert holder in suspects, list(suspects)
        assert line in suspects[holder].retained_sites[0].file, suspects[holder]
    assert heap.retained(shop.orders.refused) == suspects["orders.refused"].retained
shop.shutdown()
""", PROGRAMS.parents[1] / "examples" / "leaky_service")
