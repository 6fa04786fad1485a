# SPDX-License-Identifier: MIT
"""Leaks as issue trackers tell of them, rebuilt small: the first suspect is the truth."""
import pytest

from processes import PROGRAMS, run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

PREAMBLE = """
import memwhy
memwhy.start()
class Payload:
    def __init__(self):
        self.data = bytes(2000)
def first_suspect():
    with memwhy.heap() as heap:
        suspects = heap.suspects()
    assert suspects, "nobody is suspected"
    return suspects[0]
"""


def test_a_cache_on_a_method_keeps_every_instance():
    """functools.lru_cache on a method: the cache's keys hold self (bugs.python.org/19859)."""
    run(PREAMBLE + """
import functools
class Service:
    def __init__(self):
        self.payload = Payload()
    @functools.lru_cache(maxsize=None)
    def answer(self, question):
        return question
def request(i):
    Service().answer(i)
for i in range(3000):
    request(i)
first = first_suspect()
assert first.path.expression.startswith("sys.modules['__main__'].Service.answer"), first.path
assert any(row.type == "__main__.Service" and row.count == 3000 for row in first.retained_types)
""")


def test_exceptions_in_a_list_keep_the_frames_of_their_tracebacks():
    """A list of errors, each with its traceback, frames and their variables."""
    run(PREAMBLE + """
errors = []
def work(i):
    local = Payload()
    raise ValueError(i)
def request(i):
    try:
        work(i)
    except ValueError as error:
        errors.append(error)
for i in range(3000):
    request(i)
first = first_suspect()
assert first.path.expression == "sys.modules['__main__'].errors", first.path
assert "traceback" in {row.type for row in first.retained_types}, first.retained_types
assert first.retained_sites[0].function == "Payload.__init__", first.retained_sites
""")


def test_a_registry_of_listeners_keeps_who_listens():
    """Signals whose receivers are bound methods, and nobody disconnects."""
    run(PREAMBLE + """
class Signal:
    def __init__(self):
        self.receivers = []
    def connect(self, receiver):
        self.receivers.append(receiver)
saved = Signal()
class View:
    def __init__(self):
        self.payload = Payload()
        saved.connect(self.on_save)
    def on_save(self):
        pass
for i in range(3000):
    View()
first = first_suspect()
assert first.path.expression == "sys.modules['__main__'].saved.receivers", first.path
""")


def test_contexts_of_finished_tasks_keep_their_variables():
    """Handles that are kept hold a copy of the context, and it what a task put there."""
    run(PREAMBLE + """
import asyncio, contextvars
request_data = contextvars.ContextVar("request_data")
kept = []
async def task():
    request_data.set(Payload())
    kept.append(contextvars.copy_context())
async def main():
    for _ in range(3000):
        await asyncio.create_task(task())
asyncio.run(main())
first = first_suspect()
assert first.path.expression == "sys.modules['__main__'].kept", first.path
""")


def test_an_extension_that_forgets_to_give_references_back(heap_subject):
    run(PREAMBLE + """
import sys
sys.path.insert(0, sys.argv[1])
import heap_subject
for _ in range(3000):
    heap_subject.hold(Payload())
first = first_suspect()
assert first.kind == "many" and first.node.type == "__main__.Payload", first
assert first.path.root["kind"] == "held-from-c"
""", heap_subject)


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
