# SPDX-License-Identifier: MIT
"""Heaps in captures: what is read from the file is what the process itself would have said."""
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import memwhy
from captures import assert_agree, read as read_twice
from captures import memwhy as command
from cli_run import needs_command
from memwhy import _memwhy
from processes import environment, python, run
from recorded import read

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

# A process with everything that has names of its own.
ZOO = """
import collections, dataclasses, functools, json, threading
import memwhy
from memwhy import _memwhy, _record

class Row:
    def __init__(self, number):
        self.data = {"id": number, "name": "n%d" % number}
        self.other = [number]
        self.none = self.nothing = None

class Slots:
    __slots__ = ("first", "second")
    def __init__(self, first, second):
        self.first, self.second = first, second

class Dict(dict):
    pass

class Links(collections.OrderedDict):
    pass

class List(list):
    pass

class Key:
    pass

Point = collections.namedtuple("Point", "x y")
Old = dataclasses.make_dataclass("Old", ["a", "b"])

def generate():
    local, nothing = [1], None
    yield local

def enclose(value):
    def inner():
        return value
    return inner

@functools.lru_cache(None)
def cached(number):
    return [number]

cache = {"/user/%d" % number: Row(number) for number in range(300)}
ordered = collections.OrderedDict((number, [number]) for number in range(50))
moved = Links(("k%d" % number, [number]) for number in range(20))
moved.move_to_end("k3")
moved.attribute = [1]
default = collections.defaultdict(list, x=[1])
of_dict = Dict(a=[1], b=[2])
of_dict.attribute = [2]
of_list = List([[1], [2]])
of_list.attribute = [3]
point = Point([1], [2])
slots = [Slots([1], None), Slots(None, [2])]
queue = collections.deque([[number] for number in range(10)])
generator = generate()
next(generator)
function = enclose([7])
kept = cached(5)
try:
    1 / 0
except Exception as caught:
    error = caught
mixed = {(1, 2): [1], 3: [2], 1.5: [3], 2 ** 100: [4], Key(): [5], -7: [6], "é…\\n'": [7]}
members = {frozenset([1]), ("in a set",)}
long_text = ["x" * 1000]
thread = threading.main_thread()
holder = [thread]
targets = {name: value for name, value in globals().items() if not name.startswith("_")
           and type(value).__name__ not in ("module", "function", "type", "dict")}
targets.update(row=cache["/user/5"], data=cache["/user/5"].data, other=cache["/user/5"].other,
               in_ordered=ordered[3], in_moved=moved["k3"], of_moved=moved.attribute,
               in_default=default["x"], in_dict=of_dict["b"], on_dict=of_dict.attribute,
               in_list=of_list[1], on_list=of_list.attribute, y=point.y, second=slots[1].second,
               in_queue=queue[3], local=next(iter(generator.gi_frame.f_locals.values())),
               cell=function.__closure__[0].cell_contents, traceback=error.__traceback__,
               **{"mixed%d" % i: value for i, value in enumerate(mixed.values())})
ids = {name: id(value) for name, value in targets.items()}
del targets
"""

# Looks twice at the same moment: in a child that answers, and into a file.
COMPARE = ZOO + """
import gc, sys
_record.describe()
memwhy._layouts.check()
gc.collect()
gc.disable()

def look():
    child = _memwhy._heap_fork(300.0, 0)
    _memwhy._heap_to(sys.argv[1], _record.describe())
    return child

child = look()

def ask(name, *arguments):
    arguments = [*arguments, 0, 0, 0][:3]
    return (json.loads(_memwhy._heap_ask_child(child[0], child[1], 300.0, name, *arguments)),
            json.loads(_memwhy._heap_ask_file(sys.argv[1], 0, name, *arguments)))

def without_nodes(value):
    if isinstance(value, dict):
        return {key: without_nodes(item) for key, item in value.items() if key != "node"}
    return [without_nodes(item) for item in value] if isinstance(value, list) else value

def edges(paths):
    return [[step.get("edge") or str(step.get("root", "")) for step in path["steps"]]
            for path in paths]
"""


def test_a_captured_object_is_what_the_process_says_of_it(tmp_path):
    run(COMPARE + """
assert len(ids) > 30
for name, address in ids.items():
    live, captured = map(without_nodes, ask("object", address, 1))
    assert live, name
    # What is equally heavy is in no order, and of equally short paths either may be shown.
    for answer in live, captured:
        for key in "retained_types", "retained_sites":
            answer[key] = sorted(map(str, answer.get(key, [])))
        answer["dominators"] = [row["text"] for row in answer["dominators"]]
        answer["length"] = [path["length"] for path in answer["paths"]]
    paths = [answer.pop("paths") for answer in (live, captured)]
    assert live == captured, (name, live, captured)
    ways = edges(ask("object", address, 9)[0]["paths"])
    assert paths[0] == paths[1] or all(way in ways for way in edges(paths[1])), (name, paths)
""", tmp_path / "x.memwhy")


def test_its_tables_are_those_of_the_process(tmp_path):
    run("import memwhy; memwhy.start()\n" + COMPARE + """
both = ask("types")
live, captured = [{row["type"]: row for row in rows["rows"]} for rows in both]
# What the second look itself holds is small, and nothing of the program's.
for name in live.keys() | captured.keys():
    if name.startswith("__main__.") or name in ("collections.deque", "generator", "cell"):
        assert live[name] == captured[name], name
    else:
        here, there = [rows.get(name, {"count": 0})["count"] for rows in (live, captured)]
        assert abs(here - there) <= 12, (name, here, there)
summaries = ask("summary")
for key in "frames", "garbage", "overcounted_objects", "knows_lines":
    assert summaries[0][key] == summaries[1][key], key
assert abs(summaries[0]["unexplained_references"] - summaries[1]["unexplained_references"]) <= 3
assert summaries[1]["references"] - summaries[0]["references"] in range(0, 120)
modules = [{row["module"]: row["count"] for row in rows["rows"]} for rows in ask("modules")]
assert modules[0].keys() == modules[1].keys()
assert modules[0]["__main__"] == modules[1]["__main__"]
sites = [{(row.get("file"), row.get("line"), row.get("function")): row["size"]
          for row in rows["rows"]} for rows in ask("sites")]
ours = [{key: size for key, size in rows.items() if key[0] == "<string>"} for rows in sites]
assert len(ours[0]) > 30
differing = {key for key in ours[0] if ours[0][key] != ours[1].get(key)}
assert len(differing) <= 2, differing  # the lines that look
live, captured = [without_nodes(rows["rows"]) for rows in ask("suspects", 50)]
assert [(row["kind"], row["bytes"], row.get("text")) for row in live] == [
    (row["kind"], row["bytes"], row.get("text")) for row in captured]
""", tmp_path / "x.memwhy")


def test_the_second_reader_and_dump_agree_on_a_real_heap(tmp_path):
    path = tmp_path / "x.memwhy"
    # The second reader is slow where there are many sites: what imports allocate is not traced.
    run("import collections, dataclasses, functools, json, threading\n"
        "import memwhy; memwhy.start()\n" + ZOO + "import sys; memwhy.heap_to(sys.argv[1])", path)
    capture = read_twice(path.read_bytes())
    assert len(capture.heaps) == 1 and len(capture.snapshots) == 1
    heap = capture.heaps[0]
    texts = {heap.text(number) for number in range(1, len(heap.nodes))}
    assert {"module collections", "class __main__.Row", "dict(300)", "'/user/7'", "-7",
            "function generate", "generator generate", "threading._MainThread 'MainThread'",
            "<large int>"} <= texts
    assert_agree(path, capture)


# ── memwhy.heap_to() ─────────────────────────────────────────────────────────────────


def ask(path, name, *arguments, heap=0):
    return json.loads(_memwhy._heap_ask_file(path, heap, name, *[*arguments, 0, 0, 0][:3]))


def test_heap_to_needs_no_tracing(tmp_path):
    path = tmp_path / "x.memwhy"
    run("import memwhy, sys; memwhy.heap_to(sys.argv[1])", path)
    assert ask(path, "summary")["objects"] > 5000
    assert ask(path, "summary")["knows_lines"] == 0
    with pytest.raises(RuntimeError, match="was not tracing"):
        ask(path, "sites")
    assert os.listdir(tmp_path) == ["x.memwhy"]


def test_a_report_of_a_heap_alone_says_where_to_ask(tmp_path):
    path = tmp_path / "x.memwhy"
    run("import memwhy, sys; memwhy.heap_to(sys.argv[1])", path)
    done = command("report", path)
    assert done.returncode == 2 and done.stdout == ""
    assert 'has a heap and no snapshot: "memwhy heap" tells of it, "memwhy report --html PAGE" ' \
        'shows it.' in done.stderr


def test_texts_may_be_left_out_but_names_stay(tmp_path):
    path, program = tmp_path / "x.memwhy", tmp_path / "app.py"
    program.write_text("""
import memwhy, sys
class Session: pass
secret = {"key " + str(number): Session() for number in range(300)}
secret["key 7"].user_name = "a se" + str(sys)[:0] + "cret word"
memwhy.heap_to(sys.argv[1], texts=False)
""")
    assert python(program, path).returncode == 0
    dumped = command("dump", path).stdout
    for text in "key 7", "cret word", "key 1":
        assert text not in dumped
    rows = [json.loads(line) for line in dumped.splitlines()]
    assert [row["has_texts"] for row in rows if row["type"] == "heap"] == [False]
    edges = {edge for row in rows if row["type"] == "object" for edge, _ in row["refers_to"]}
    assert {".user_name", "['secret']", "[<str>]"} <= edges


def test_the_program_goes_on_as_it_was(tmp_path):
    path = tmp_path / "x.memwhy"
    run("""
import gc, memwhy, os, signal, sys, threading
class Row:
    def __init__(self): self.a = 1
seen = []
signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
rows = [Row() for _ in range(1000)]
counts = [sys.getrefcount(row) for row in rows]
blocks = sys.getallocatedblocks()
stop = threading.Event()
worker = threading.Thread(target=lambda: [sum(range(100)) for _ in iter(stop.is_set, True)])
worker.start()
for _ in range(2):
    memwhy.heap_to(sys.argv[1])
stop.set()
worker.join()
assert [sys.getrefcount(row) for row in rows] == counts
assert not seen
try:
    os.wait()
except ChildProcessError:
    pass
""", path)


def test_it_says_what_is_wrong_and_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.memwhy"
    path.write_text("mine")
    for arguments, error, sentence in (
            ({"timeout": 0}, ValueError, "timeout must be a number of seconds above 0, not 0"),
            ({"memory_limit": -1}, ValueError, "memory_limit must be a number of bytes above 0"),
            ({"memory_limit": 1}, MemoryError, "wants more memory than the 0 MiB"),
            ({"memory_limit": 2 << 20}, MemoryError, "wants more memory than the 2 MiB")):
        with pytest.raises(error, match=sentence):
            memwhy.heap_to(path, **arguments)
        assert path.read_text() == "mine"
    with pytest.raises(OSError, match="No such file or directory"):
        memwhy.heap_to(tmp_path / "none" / "x.memwhy")
    with pytest.raises(TypeError):
        memwhy.heap_to()
    assert os.listdir(tmp_path) == ["x.memwhy"]


BREAK = """
import ctypes, memwhy, sys
class Broken: pass
broken = [Broken()]
# tp_traverse, behind 23 words of a type object.
field = ctypes.c_void_p.from_address(id(Broken) + 23 * ctypes.sizeof(ctypes.c_void_p))
before = field.value
"""


@pytest.mark.parametrize("value, error, sentence", [
    ("1", "RuntimeError", "crashed (signal 11)"),
    ("ctypes.cast(ctypes.CDLL(None).pause, ctypes.c_void_p).value", "TimeoutError",
     "took longer than the timeout"),
])
def test_a_child_that_crashes_or_hangs_leaves_what_was_there(value, error, sentence, tmp_path):
    """An extension's type that says wrong what it refers to, made up by breaking a real one."""
    path = tmp_path / "x.memwhy"
    path.write_text("mine")
    run(BREAK + f"""
field.value = {value}
try:
    memwhy.heap_to(sys.argv[1], timeout=0.5)
except {error} as caught:
    assert {sentence!r} in str(caught), caught
else:
    raise AssertionError("nothing happened")
finally:
    field.value = before
""", path)
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == ["x.memwhy"]


def test_the_timeout_holds_however_steadily_the_records_come(tmp_path):
    path = tmp_path / "x.memwhy"
    with pytest.raises(TimeoutError, match="took longer than the timeout"):
        memwhy.heap_to(path, timeout=1e-9)
    assert os.listdir(tmp_path) == []


def test_what_the_collector_does_not_know_is_found_however_much_it_is(tmp_path):
    path = tmp_path / "x.memwhy"
    run("""
import gc, json, memwhy, sys
from memwhy import _memwhy
class Key: pass
kept = [(str(number),) for number in range(60_000)]
more = [{"a": number} for number in range(60_000)]
for _ in range(3):
    gc.collect()
memwhy.heap_to(sys.argv[1])
captured = {row["type"]: row for row in json.loads(
    _memwhy._heap_ask_file(sys.argv[1], 0, "types", 0, 0, 0))["rows"]}
with memwhy.heap() as heap:
    for row in heap.types():
        if row.type in ("tuple", "dict", "str"):
            assert abs(row.count - captured[row.type]["count"]) < 100, row
assert captured["tuple"]["count"] > 60_000 and captured["dict"]["count"] > 60_000
""", path)


def test_an_object_of_more_than_4_gib_has_its_size_and_its_text(tmp_path):
    path = tmp_path / "x.memwhy"
    out = run("""
import memwhy, sys
try:
    large = bytes(5 << 30)  # of pages that nobody touches
except MemoryError:
    print("no memory")
else:
    memwhy.heap_to(sys.argv[1])
""", path)
    if out:
        pytest.skip("the system does not lend 5 GiB of address space")
    rows = map(json.loads, command("dump", path).stdout.splitlines())
    assert [row["text"] for row in rows if row.get("size", 0) > 5 << 30] == ["bytes(5368709120)"]


def test_it_takes_little_memory_beside_the_heap():
    done = python("-c", textwrap.dedent("""
        import json, os, memwhy
        from memwhy import _memwhy, _record
        class Row:
            def __init__(self, number):
                self.number, self.items = number, [str(number)]
        rows = [Row(number) for number in range(200_000)]
        path = "/dev/shm/memwhy-%d.memwhy" % os.getpid()
        try:
            memwhy._layouts.check()
            taken = _memwhy._heap_to(path, _record.describe())
            whole = json.loads(_memwhy._heap_ask_file(path, 0, "summary", 0, 0, 0))
            print(taken, whole["bytes"], os.path.getsize(path), whole["objects"])
        finally:
            os.unlink(path)
    """))
    taken, heap_bytes, file_bytes, objects = map(int, done.stdout.split())
    assert objects > 800_000
    # The marks are a hundredth; records on their way are some MiB, whatever the heap.
    assert taken < heap_bytes * 0.015 + (9 << 20)
    assert file_bytes < 12 * objects


# ── memwhy run ───────────────────────────────────────────────────────────────────────

SERVICE = """
import os, signal, sys, time
class Session:
    def __init__(self, number):
        self.user = "user %d" % number
sessions = {}
def serve(count):
    for number in range(count):
        sessions["/user/%d" % (len(sessions))] = Session(number)
serve(100)
"""


def heaps_of(path):
    """How many sessions each heap has, with when it was taken."""
    rows = [json.loads(line) for line in command("dump", path).stdout.splitlines()]
    counts = {row["heap"]: [row["time_ns"], 0] for row in rows if row["type"] == "heap"}
    for row in rows:
        if row["type"] == "object" and row["class"] == "__main__.Session":
            counts[row["heap"]][1] += 1
    return [counts[heap] for heap in sorted(counts)]


@needs_command
def test_run_adds_the_heap_at_exit(tmp_path):
    program = tmp_path / "app.py"
    program.write_text(SERVICE + "import atexit; atexit.register(serve, 11)\nsys.exit(3)\n")
    path = tmp_path / "x.memwhy"
    done = command("run", "-o", path, "--heap-at-exit", program)
    assert done.returncode == 3
    assert "1 snapshot, 1 heap, " in done.stderr
    assert [count for _, count in heaps_of(path)] == [111]
    assert read(path)["exit_status"] == 3
    sessions = next(row for row in map(json.loads, command("dump", path).stdout.splitlines())
                    if any(name == "['/user/7']" for name, _ in row.get("refers_to", ())))
    steps = ask(path, "object", sessions["id"], 1)["paths"][0]["steps"]
    assert steps[0]["root"] == {"kind": "module", "name": "__main__"}
    assert [step["edge"] for step in steps[1:]] == ["['sessions']"]


@needs_command
def test_run_adds_a_heap_on_each_signal(tmp_path):
    program = tmp_path / "app.py"
    program.write_text(SERVICE + textwrap.dedent("""
        for line in sys.stdin:
            serve(10)
            print(len(sessions), flush=True)
    """))
    path = tmp_path / "x.memwhy"
    with subprocess.Popen(
            [sys.executable, "-m", "memwhy", "run", "--python", sys.executable, "-o", str(path),
             "--heap-on-signal", "usr1", "--heap-at-exit", str(program)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment()) as process:
        for count in (1, 2):
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{100 + 10 * count}\n"
            size = path.stat().st_size
            process.send_signal(signal.SIGUSR1)
            while ends_with_a_heap(path) < count:
                assert process.poll() is None
            assert path.stat().st_size > size
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "3 heaps" in errors
    heaps = heaps_of(path)
    assert [count for _, count in heaps] == [110, 120, 120]
    assert heaps[0][0] < heaps[1][0] < heaps[2][0]


@needs_command
def test_a_signal_just_before_the_end_is_not_lost(tmp_path):
    program = tmp_path / "app.py"
    program.write_text(SERVICE + "os.kill(os.getpid(), signal.SIGUSR2)\n")
    path = tmp_path / "x.memwhy"
    done = command("run", "-o", path, "--heap-on-signal", "SIGUSR2", program)
    assert done.returncode == 0
    assert [count for _, count in heaps_of(path)] == [100]


# A process that waits until a child, which hangs, looks at its heap.
LONG_LOOK = SERVICE + BREAK + """
import gc, glob
from memwhy import _memwhy

def wait_for(answer):
    until = time.monotonic() + 60
    while not answer():
        assert time.monotonic() < until
        time.sleep(0.01)
    return answer()

def children():
    return [int(pid) for name in glob.glob("/proc/self/task/*/children")
            for pid in open(name).read().split()]

gc.disable()
field.value = ctypes.cast(ctypes.CDLL(None).pause, ctypes.c_void_p).value
os.kill(os.getpid(), signal.SIGUSR1)
[looking] = wait_for(children)
time.sleep(0.5)
"""


@needs_command
def test_a_fork_while_a_heap_takes_long_does_not_end_the_recording(tmp_path):
    """The fork does not wait for the heap; what is asked for afterwards comes nevertheless."""
    program = tmp_path / "app.py"
    program.write_text(LONG_LOOK + textwrap.dedent("""
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        field.value = before
        os.kill(looking, signal.SIGKILL)
        wait_for(lambda: not children())
        time.sleep(0.5)
        assert _memwhy._record_state()["heaps"] == 0
        os.kill(os.getpid(), signal.SIGUSR1)
        wait_for(lambda: _memwhy._record_state()["heaps"])
    """))
    path = tmp_path / "x.memwhy"
    done = python(program, env=environment(MEMWHY=f"capture={path},heap_on_signal=USR1"))
    assert done.returncode == 0, done.stderr
    assert "the child that looked at the heap was killed" in done.stderr
    assert [count for _, count in heaps_of(path)] == [100]


@needs_command
def test_a_heap_that_is_not_complete_at_the_end_costs_itself_alone(tmp_path):
    """The end waits for 20 s, and then takes the last snapshot without it."""
    program = tmp_path / "app.py"
    program.write_text(LONG_LOOK + "field.value = before\nsys.exit(3)\n")
    path = tmp_path / "x.memwhy"
    done = python(program, env=environment(MEMWHY=f"capture={path},heap_on_signal=USR1"))
    assert done.returncode == 3
    assert "the capture has a heap less: the program ended before it was complete" in done.stderr
    capture = read(path)
    assert len(capture["snapshots"]) == 1 and capture["exit_status"] == 3
    assert not capture["is_truncated"]
    assert heaps_of(path) == []


def test_a_child_that_hangs_does_not_outlive_a_process_that_is_killed(tmp_path):
    program = LONG_LOOK + "print(looking, flush=True)\ntime.sleep(60)\n"
    setting = f"capture={tmp_path / 'x.memwhy'},heap_on_signal=USR1"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
                          env=environment(MEMWHY=setting)) as process:
        looking = int(process.stdout.readline())
        assert is_running(looking)
        process.kill()
    until = time.monotonic() + 10
    while is_running(looking) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_running(looking)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def ends_with_a_heap(path):
    """How many heaps are in the file by now."""
    done = command("dump", path)
    return sum(json.loads(line)["type"] == "heap" for line in done.stdout.splitlines())


def test_the_variable_says_the_same(tmp_path):
    path = tmp_path / "x.memwhy"
    setting = f"capture={path},heap_at_exit=1,texts=0"
    done = python("-c", SERVICE, env=environment(MEMWHY=setting))
    assert done.returncode == 0 and done.stderr == ""
    assert [count for _, count in heaps_of(path)] == [100]
    assert "/user/7" not in command("dump", path).stdout


@needs_command
@pytest.mark.parametrize("options, sentence", [
    (["--heap-at-exit"], "--heap-at-exit wants -o FILE, the capture that it is for."),
    (["--heap-on-signal", "USR1"], "--heap-on-signal wants -o FILE, the capture that it is for."),
    (["-o", "x", "--no-texts"], "--no-texts is for heaps: it wants --heap-at-exit or"),
    (["-o", "x", "--heap-on-signal", "KILL"],
     "--heap-on-signal takes a signal that can be caught, such as SIGUSR2, not \"KILL\"."),
])
def test_run_says_what_is_wrong(options, sentence, tmp_path):
    done = command("run", *options, "app.py", cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert os.listdir(tmp_path) == []


@needs_command
def test_what_cannot_be_looked_at_costs_the_heap_alone(tmp_path):
    program = tmp_path / "app.py"
    program.write_text(SERVICE + BREAK + "import gc; gc.disable(); field.value = 1; os._exit(0)\n")
    path = tmp_path / "x.memwhy"
    done = command("run", "-o", path, "--heap-at-exit", program)
    assert done.returncode == 0
    assert "memwhy: the capture has a heap less: the child that looked at the heap crashed" \
        in done.stderr
    capture = read(path)
    assert len(capture["snapshots"]) == 1 and capture["exit_status"] == 0
    assert not capture["is_truncated"]
    assert heaps_of(path) == []


@needs_command
def test_merge_leaves_heaps_out(tmp_path):
    program = tmp_path / "app.py"
    program.write_text(SERVICE)
    for name in "ab":
        command("run", "-o", tmp_path / f"{name}.memwhy", "--heap-at-exit", program)
    done = command("merge", tmp_path / "c.memwhy", tmp_path / "a.memwhy",
                   tmp_path / "b.memwhy")
    assert done.returncode == 0, done.stderr
    assert heaps_of(tmp_path / "c.memwhy") == []
