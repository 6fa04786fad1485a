# SPDX-License-Identifier: MIT
"""The forked child that looks at the heap: the program does not notice it."""
import pytest

from processes import run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")


def test_no_signal_and_no_wait_tells_of_the_child():
    run("""
import os, signal
import memwhy
seen = []
signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
handlers = []
os.register_at_fork(before=lambda: handlers.append("before"),
                    after_in_parent=lambda: handlers.append("parent"),
                    after_in_child=lambda: handlers.append("child"))
heap = memwhy.heap()
for call in (lambda: os.waitpid(-1, os.WNOHANG), os.wait):
    try:
        call()
    except ChildProcessError:
        pass
    else:
        raise AssertionError("somebody waited for our child")
pid = heap._child._child[0]
os.kill(pid, 0)
heap.close()
try:
    os.kill(pid, 0)
except ProcessLookupError:
    pass
else:
    raise AssertionError("the child is still there")
assert not seen and not handlers
""")


def test_the_child_keeps_nothing_open():
    run("""
import os
import memwhy
reading, writing = os.pipe()
heap = memwhy.heap()
os.close(writing)
assert os.read(reading, 1) == b""  # the end of the pipe: nobody else can write
descriptors = os.listdir(f"/proc/{heap._child._child[0]}/fd") if os.geteuid() == 0 else ["3"]
assert descriptors == ["3"], descriptors
""")


def test_the_child_ends_with_the_program():
    out = run("""
import memwhy
heap = memwhy.heap()
print(heap._child._child[0], flush=True)
import os
os._exit(0)
""")
    import os
    import time

    for _ in range(200):
        try:
            os.kill(int(out), 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    # Nobody reaps it, perhaps, where the test's first process does not.
    with open(f"/proc/{int(out)}/stat") as status:
        assert status.read().rpartition(")")[2].split()[0] == "Z"


def test_the_program_s_descriptors_and_threads_are_as_before():
    run("""
import gc, os, threading
import memwhy
before = sorted(os.listdir("/proc/self/fd"))
for _ in range(10):
    heap = memwhy.heap()
    heap.types()
    del heap
assert sorted(os.listdir("/proc/self/fd")) == before
assert threading.active_count() == 1
""")


def test_a_killed_child_is_one_clear_sentence():
    run("""
import os, signal
import memwhy
heap = memwhy.heap()
os.kill(heap._child._child[0], signal.SIGKILL)
try:
    heap.types()
except RuntimeError as error:
    assert "was killed" in str(error), error
else:
    raise AssertionError
try:
    heap.types()
except ValueError as error:
    assert "closed" in str(error)
else:
    raise AssertionError
""")


def test_a_heap_does_not_follow_a_fork():
    run("""
import os
import memwhy
heap = memwhy.heap()
pid = os.fork()
if pid == 0:
    try:
        heap.types()
    except RuntimeError as error:
        status = "was forked since" not in str(error)
    else:
        status = 2
    heap.close()
    del heap
    os._exit(status)
assert os.waitpid(pid, 0)[1] == 0
assert heap.types()  # the copy's end did not end the child
""")


def test_a_limit_of_memory_is_one_clear_sentence():
    run("""
import memwhy
for call in (lambda: memwhy.heap(memory_limit=500_000),
             lambda: memwhy.why(call, forked=False, memory_limit=500_000),
             lambda: memwhy.why(call, forked=True, memory_limit=500_000),
             lambda: memwhy.growth(forked=False, memory_limit=500_000)):
    try:
        call()
    except MemoryError as error:
        assert "does not fit into 0 MiB" in str(error), error
    else:
        raise AssertionError
assert memwhy.heap().types()
""")


def test_a_fork_that_is_refused_is_one_clear_sentence():
    run("""
import json, os, resource, threading  # json while it can be read
import memwhy
if os.geteuid() == 0:
    # The limit is not for root: become somebody.
    os.setgid(65534)
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    memwhy.heap()
except RuntimeError as error:
    assert "refused to fork" in str(error), error
else:
    raise AssertionError
print(memwhy.why(memwhy.heap, forked=False).retained > 0)
""")


def test_no_descriptor_left_is_one_clear_sentence():
    run("""
import resource
import memwhy
memwhy.heap().close()
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    memwhy.heap()
except RuntimeError as error:
    assert "no socket for looking at the heap: Too many open files" in str(error), error
else:
    raise AssertionError
assert memwhy.why(memwhy.heap, forked=False).retained > 0
""")


@pytest.mark.no_sanitizer("has an address space of its own to limit")
def test_a_heap_bigger_than_the_system_allows_is_one_clear_sentence():
    run("""
import json, resource
import memwhy
memwhy.why(memwhy, forked=False)
kept = [[i] for i in range(200_000)]
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[0])
limit = pages * resource.getpagesize() + (8 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for call in (lambda: memwhy.heap(), lambda: memwhy.why(kept, forked=False)):
    try:
        call()
    except MemoryError as error:
        assert "which is what memory_limit or the system leaves for it" in str(error), error
    else:
        raise AssertionError
assert sum(len(one) for one in kept) == 200_000
""")


def test_an_interrupt_ends_the_wait(heap_subject):
    run("""
import gc, os, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
gc.disable()
import heap_subject, memwhy
hang = heap_subject.Hang()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job ignores it

def children():
    return open(f"/proc/self/task/{os.getpid()}/children").read()

def interrupt():
    while not children():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

status = 1
try:
    threading.Thread(target=interrupt).start()
    memwhy.heap()
except KeyboardInterrupt:
    status = 2 if children() else 0
finally:
    os._exit(status)  # the collector would hang at the end
""", heap_subject)


def test_threads_that_ask_at_once_get_their_own_answers():
    run("""
import threading
import memwhy
heap = memwhy.heap()
failed = []
def ask(question):
    try:
        for _ in range(30):
            answer = heap._child.ask(question, 5)
            assert ("cycles" in answer) == (question == "garbage"), (question, answer)
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=ask, args=(name,)) for name in ("garbage", "types") * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed[0]
heap.close()
""", timeout=120)
