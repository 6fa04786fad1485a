# SPDX-License-Identifier: MIT
"""`memwhy heap` and `memwhy why`: what a captured heap says is what is known of the program."""
import json
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from cli_run import MEMWHY, memwhy, needs_command, plain, plain_environment, script  # noqa: F401
from processes import PROGRAMS

pytestmark = [needs_command, pytest.mark.no_leak_check("runs in processes of its own")]

SERVICE = PROGRAMS.parents[1] / "examples" / "leaky_service"

# A service with a cache, and with sessions that two containers hold jointly; it says where
# some of its objects are.
PROGRAM = """
import memwhy

class Row:
    def __init__(self, i):
        self.data = {"number": i + 10_000, "text": "x" * 100}  # 3.15 keeps ints up to 1024

class Session:
    def __init__(self, i):
        self.blob = bytes(2000)

_cache, _listeners, _sessions = {}, [], {}

def listen(session):
    def on_close():
        return session
    return on_close

def request(i):
    _cache[f"/user/{i}"] = [Row(i) for i in range(10)]
    session = Session(i)
    if i % 2 == 0:
        _sessions[i] = session
        _listeners.append(listen(session))

for i in range(ROUNDS):
    request(i)
row = _cache["/user/700"][3]
print(id(row), memwhy.heap().retained(row))
"""
ROW_LINE, CACHE_LINE, SESSION_LINE = 6, 20, 10


def run_program(directory, rounds=1000):
    (directory / "app.py").write_text(PROGRAM.replace("ROUNDS", str(rounds)))
    run = memwhy("run", "--heap-at-exit", "-o", "app.memwhy", "app.py", cwd=directory)
    assert run.returncode == 0, run.stderr
    return directory / "app.memwhy", *map(int, run.stdout.split())


@pytest.fixture(scope="module")
def heap(tmp_path_factory):
    """(the capture, the id of a row, what that retained)"""
    return run_program(tmp_path_factory.mktemp("heap"))


def said(*arguments):
    answer = memwhy(*arguments)
    assert answer.returncode == 0 and not answer.stderr, answer.stderr
    return answer.stdout


def asked(*arguments):
    return json.loads(said(*arguments, "--json", "-"))


def refused(*arguments):
    answer = memwhy(*arguments)
    assert answer.returncode == 2 and not answer.stdout, answer
    assert answer.stderr.startswith("memwhy: ") and answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr


def ends_with(path, end):
    return path == f"sys.modules['__main__'].{end}"


# ── memwhy heap ──────────────────────────────────────────────────────────────────────

def test_suspects_come_first_in_sentences(heap):
    text = said("heap", heap[0])
    sentence = " ".join(text.partition("\n\n")[0].split())
    assert re.match(r"memwhy: sys\.modules\['__main__'\]\._cache \(dict\(1000\)\) retains \d+ KiB, "
                    r"[\d.]+% of the heap; the largest part is dict ", sentence), sentence
    assert f"the line that allocated most is app.py:{ROW_LINE} in Row.__init__" in sentence
    assert "1 more is suspected" in sentence or "One more is suspected." in sentence, sentence
    assert max(map(len, text.splitlines())) <= 80
    flat = " ".join(text.split())
    assert "are held jointly: dropping one of these frees nothing" in flat
    assert "sys.modules['__main__']._listeners (list(500)), alone" in flat
    assert "sys.modules['__main__']._sessions (dict(500)), alone" in flat
    assert f"app.py:{SESSION_LINE} in Session.__init__" in flat
    assert "references explained 99." in flat
    assert "held from C:" in flat and "wait for the collector" in flat


def test_json_has_the_same_with_bytes_lines_and_holders(heap):
    answer = asked("heap", heap[0])
    summary = answer["summary"]
    assert answer["heap"] == answer["heaps"] == 1 and summary["knows_lines"] == 1
    assert summary["unexplained_references"] < 0.005 * summary["counted_references"]
    first, joint = answer["suspects"]
    assert first["kind"] == "accumulates"
    assert ends_with(first["paths"][0]["expression"], "_cache")
    assert {row["type"]: row["count"] for row in first["retained_types"]}["__main__.Row"] == 9999  # and `row`
    assert first["retained_sites"][0]["line"] == ROW_LINE
    assert first["bytes"] > 0.3 * summary["bytes"]
    assert joint["kind"] == "joint" and joint["objects"] == 1000
    assert joint["bytes"] >= 500 * 2000
    assert sorted(holder["paths"][0]["expression"].rpartition(".")[2]
                  for holder in joint["holders"]) == ["_listeners", "_sessions"]
    assert joint["retained_sites"][0]["line"] == SESSION_LINE
    # A row's own size counts once, whatever it is asked by.
    assert sum(row["size"] for row in asked("heap", heap[0], "--by", "type")["types"]) == (
        sum(row["size"] for row in asked("heap", heap[0], "--by", "line")["sites"]))


@pytest.mark.parametrize("key, name, rows", [
    ("type", "types", "__main__.Row"), ("module", "modules", "__main__"),
    ("line", "sites", f"app.py:{ROW_LINE} in Row.__init__"),
    ("object", "objects", "sys.modules['__main__']._cache"), ("held", "held", ""),
])
def test_one_table_is_what_was_asked_for(heap, key, name, rows):
    text = said("heap", heap[0], "--by", key, "--limit", "5")
    head, *lines = text.splitlines()
    assert head.split()[0] == "retained"
    assert rows in text
    answer = asked("heap", heap[0], "--by", key, "--limit", "5")
    assert len(answer[name]) <= 5 and len(answer[name]) <= len(lines)
    retained = [row["retained"] for row in answer[name]]
    assert retained == sorted(retained, reverse=True)
    assert "suspects" not in answer


def test_the_share_decides_who_is_suspected(heap):
    assert len(asked("heap", heap[0], "--by", "suspect", "--share", "1%")["suspects"]) >= 2
    assert len(asked("heap", heap[0], "--by", "suspect", "--share", "40%")["suspects"]) == 1
    few = "--share", "1%", "--limit", "1"
    assert len(asked("heap", heap[0], "--by", "suspect", *few)["suspects"]) == 1
    assert len(asked("heap", heap[0], *few)["suspects"]) == 1
    assert "Nobody is suspected" in said("heap", heap[0], "--by", "suspect", "--share", "99%")
    assert "nobody is suspected" in said("heap", heap[0], "--share", "99%")


def test_a_difference_tells_what_grew_by_type_and_line(tmp_path, heap):
    more = run_program(tmp_path, rounds=1200)[0]
    answer = asked("heap", more, "--diff", heap[0])
    rows = {row["type"]: row for row in answer["types"]}
    assert rows["__main__.Row"]["count_diff"] == 2000
    assert rows["__main__.Session"]["count_diff"] == 100
    sites = {row["line"]: row for row in answer["sites"]}
    assert sites[f"app.py:{ROW_LINE} in Row.__init__"]["count_diff"] == 4000
    text = said("heap", more, "--diff", heap[0])
    assert "more than" in text and "What grew most is" in " ".join(text.split()), text
    assert re.search(r"\+2,000 +12,000  __main__\.Row$", text, re.MULTILINE), text
    assert re.search(r"-2,000 +10,000  __main__\.Row$",
                     said("heap", heap[0], "--diff", more), re.MULTILINE)


def test_nothing_that_a_terminal_obeys_is_written(script, tmp_path):
    program = script("""
        evil = type("A\\033[31m\\nB", (), {"__module__": "m\\x07"})
        globals()["k\\033]0;title\\x07"] = kept = {f"\\033[2J{i}": evil() for i in range(20000)}
    """)
    capture = tmp_path / "evil.memwhy"
    assert memwhy("run", "--heap-at-exit", "-o", capture, program).returncode == 0
    texts = [said("heap", capture), said("heap", capture, "--by", "object"),
             said("why", capture, "dict")]
    for text in texts:
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), text
    assert "B" in texts[0]


# ── memwhy why ───────────────────────────────────────────────────────────────────────

def test_an_object_is_known_by_address_by_way_and_by_type(heap):
    capture, number, retained = heap
    way = "sys.modules['__main__']._cache['/user/700'][3]"
    by_number = asked("why", capture, number)
    assert by_number["found"] == 1
    found = by_number["objects"][0]
    # The global `row` is the shortest way.
    assert found["paths"][0]["expression"] == "sys.modules['__main__'].row"
    assert way in [path["expression"] for path in found["paths"]]
    assert found["type"] == "__main__.Row" and found["id"] == number
    assert found["site"]["line"] == CACHE_LINE
    for what in (hex(number), way, "sys.modules['__main__'].row"):
        assert asked("why", capture, what)["objects"] == by_number["objects"], what
    by_type = asked("why", capture, "Row", "--limit", "3")
    assert by_type["found"] == 10000 and len(by_type["objects"]) == 3


def test_why_prints_paths_dominators_and_lines(heap):
    text = said("why", heap[0], "sys.modules['__main__']._cache['/user/900']")
    assert re.match(r"list\(10\) at 0x[0-9a-f]+: \d+ B, retains \d+ B\n", text), text
    assert f"\nallocated at app.py:{CACHE_LINE} in request" in text
    assert "\nkept alive by sys.modules['__main__']._cache['/user/900']\n" in text
    assert "\nit goes when this goes: dict(1000)" in text
    assert re.search(r"\nretains:\n( +[\d.]+ \w+ +[\d,]+  .*\n)+", text), text
    assert f"app.py:{ROW_LINE} in Row.__init__" in text
    assert "10,000 objects; this one retains most." in said("why", heap[0], "__main__.Row")


def test_ways_lead_back_to_where_they_came_from(heap):
    for row in asked("heap", heap[0], "--by", "object", "--limit", "30")["objects"]:
        way = row["paths"][0]["expression"]
        if way.startswith("sys.modules") and "…" not in way and "(in C)" not in way:
            found = asked("why", heap[0], way)["objects"][0]
            assert found["node"] == row["node"] or found["type"] == "module", way


# ── wrong use ────────────────────────────────────────────────────────────────────────

def test_a_capture_without_a_heap_says_how_to_get_one(script, tmp_path):
    capture = tmp_path / "plain.memwhy"
    assert memwhy("run", "-o", capture, script("x = [1]")).returncode == 0
    for arguments in (["heap", capture], ["why", capture, "dict"]):
        assert "holds no heap" in refused(*arguments)
        assert "memwhy run --heap-at-exit -o" in refused(*arguments)


def test_wrong_use_is_one_sentence(heap, tmp_path):
    capture = heap[0]
    no_capture = tmp_path / "no.memwhy"
    no_capture.write_text("no capture\n" * 100)
    for arguments, words in [
        (["heap"], "heap wants a capture"),
        (["why"], "why wants a capture"),
        (["why", capture], "which object"),
        (["heap", tmp_path / "missing"], "missing"),
        (["heap", no_capture], "no.memwhy"),
        (["heap", capture, "--limit", "-1"], "--limit"),
        (["heap", capture, "--limit", "0"], "--limit"),
        (["heap", capture, "--limit", "many"], "--limit"),
        (["heap", capture, "--share", "0%"], "from 0.1% to 100%"),
        (["heap", capture, "--share", "101%"], "--share"),
        (["heap", capture, "--share=-5%"], "--share"),
        (["heap", capture, "--by", "weather"], "--by"),
        (["heap", capture, "--at", "2"], "has no heap 2: it holds 1"),
        (["heap", capture, "--since", "3"], "has no heap 3"),
        (["heap", capture, "--since", "1", "--diff", capture], "leave one out"),
        (["heap", capture, "--since", "1", "--by", "suspect"], "by type and by line"),
        (["heap", capture, "--json", tmp_path / "no" / "file"], "no/file"),
        (["why", capture, "0x10"], "no object at 0x10"),
        (["why", capture, "12monkeys"], "is no address"),
        (["why", capture, "__main__.Rowing"], 'no object of a type called "__main__.Rowing"'),
        (["why", capture, "sys.modules['__main__'].nothing"], 'nothing at ".nothing"'),
        (["why", capture, "Row", "--paths", "-1"], "--paths"),
        (["why", capture, "Row", "--at", "9"], "has no heap 9"),
    ]:
        assert words in refused(*arguments), arguments


def test_json_never_replaces_a_capture(heap, tmp_path):
    capture, before = heap[0], heap[0].read_bytes()
    other, link = tmp_path / "other.memwhy", tmp_path / "link"
    other.write_bytes(before)
    link.symlink_to(other)
    for arguments in [
        ["heap", capture, "--json", capture],
        ["heap", other, "--json", link],
        ["heap", capture, "--diff", other, "--json", link],
        ["why", capture, "Row", "--json", capture],
        ["why", link, "Row", "--json", other],
    ]:
        assert "--json would overwrite the capture" in refused(*arguments), arguments
    assert capture.read_bytes() == other.read_bytes() == before


def test_lines_that_nobody_knows_are_no_table(tmp_path):
    """A heap of a program that was not traced."""
    capture = tmp_path / "untraced.memwhy"
    made = plain("-c", f"import memwhy; memwhy.heap_to({str(capture)!r})")
    assert made.returncode == 0, made.stderr
    assert "does not say which lines allocated what" in refused("heap", capture, "--by", "line")
    assert "sites" not in asked("heap", capture)
    assert "allocated" not in said("heap", capture)


# ── the bookshop ─────────────────────────────────────────────────────────────────────

def customers(port):
    subprocess.run([sys.executable, "-c",
                    "import load, sys; load.VISITS = 60; load.run(int(sys.argv[1]))", port],
                   cwd=SERVICE, check=True, timeout=60)


@pytest.fixture(scope="module")
def bookshop(tmp_path_factory):
    """A capture of the leaky service with a heap while it ran, and another after its end."""
    capture = tmp_path_factory.mktemp("shop") / "shop.memwhy"
    service = subprocess.Popen([MEMWHY, "run", "--heap-at-exit", "--heap-on-signal", "SIGUSR2",
                                "-o", capture, SERVICE / "service.py", "--port", "0"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(100, service.kill)
    watchdog.start()
    try:
        customers(re.search(r":(\d+)$", service.stdout.readline().strip()).group(1))
        service.send_signal(signal.SIGUSR2)
        while service.poll() is None and memwhy("heap", capture).returncode != 0:
            time.sleep(0.05)
        service.send_signal(signal.SIGINT)
        service.communicate()
    finally:
        watchdog.cancel()
        service.kill()
    return capture


def test_the_bookshop_s_three_leaks_are_named_with_bytes_and_lines(bookshop):
    sys.path.insert(0, str(SERVICE))
    try:
        from truth import PLANTED, line_of
    finally:
        sys.path.remove(str(SERVICE))
    answer = asked("heap", bookshop, "--at", "1", "--share", "1%")
    assert answer["heaps"] == 2
    # The shop is a variable of functions that run: `<frame main (…)>.shop.orders.refused`.
    suspects = {".".join(suspect["paths"][0]["expression"].rsplit(".", 2)[1:]): suspect
                for suspect in answer["suspects"] if suspect.get("paths")}
    for holder, name in (("orders.refused", "orders.py"), ("updates._mailboxes", "updates.py"),
                         ("timings._seconds", "timings.py")):
        assert holder in suspects, list(suspects)
        suspect = suspects[holder]
        assert suspect["paths"][0]["expression"].startswith("<frame "), suspect
        assert suspect["bytes"] > 0.01 * answer["summary"]["bytes"]
        lines = {(row.get("file", "").rpartition("/")[2], row.get("line"))
                 for row in suspect["retained_sites"]}
        # What json.loads() makes, it allocates itself.
        assert (name, line_of(name, PLANTED[name])) in lines or name == "orders.py", lines
        assert name != "orders.py" or any(file == "decoder.py" for file, _ in lines), lines


def test_what_the_bookshop_kept_waits_for_the_collector_after_its_end(bookshop):
    """Its Shop was a variable of main(), which has returned."""
    answer = asked("heap", bookshop)
    assert answer["heap"] == 2
    assert answer["garbage"]["bytes"] > 0.1 * answer["summary"]["bytes"]
    assert "kept alive by nothing: it waits for the collector" in said("why", bookshop, "Shop")
    assert "<frame " in said("why", bookshop, "Shop", "--at", "1")
    assert "heaps" in asked("heap", bookshop, "--since", "1")["older"]
