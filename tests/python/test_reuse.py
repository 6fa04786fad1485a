# SPDX-License-Identifier: MIT
"""Objects that are taken from free lists have the line that takes them, whichever way the
interpreter tells us of them, and the standard tracemalloc sees nothing of it."""
import os
import sys

import pytest

from processes import environment, run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

# From 3.13 on the interpreter itself tells; before, a jump or else a table is borrowed.
IS_TOLD = sys.version_info >= (3, 13)
BORROWS = pytest.mark.skipif(IS_TOLD, reason="PyRefTracer tells since 3.13")
WAYS = [None] if IS_TOLD else [None, "detour"]
DETAILS = {None: "PyRefTracer" if IS_TOLD else "a jump in _PyTraceMalloc_NewReference",
           "detour": "tracemalloc's own table, under its lock"}

HELPERS = """
import ctypes, gc, memwhy, os, random, sys, threading, tracemalloc
from memwhy import _memwhy
def first(): return [1.5 * number for number in range(300)]
def second(): return [2.5 * number for number in range(90)]
SECOND = second.__code__.co_firstlineno
def lines(tracer):
    "Of floats that live in blocks of dead ones, as far as the tracer knows them."
    former = first()
    blocks = set(map(id, former))
    del former
    again = [number for number in second() if id(number) in blocks]
    tracebacks = [tracer.get_object_traceback(number) for number in again]
    return {traceback[-1].lineno for traceback in tracebacks if traceback is not None}
def follows(tracer): return lines(tracer) == {SECOND}
def mappings():
    with open("/proc/self/maps") as file: return file.read().splitlines()
def silent(): return (tracemalloc.is_tracing(), tracemalloc.get_traced_memory(),
                      tracemalloc._get_traces(), tracemalloc.get_object_traceback([]))
SILENT = (False, (0, 0), [], None)
"""


def program(source, *arguments, disabled=None, options=(), **changes):
    """Runs a program that has HELPERS, with a mechanism switched off."""
    import textwrap
    return run(HELPERS + textwrap.dedent(source), *arguments, options=options,
               env=environment(MEMWHY_DISABLE=disabled, **changes))


@pytest.mark.parametrize("disabled", WAYS)
def test_an_object_from_a_free_list_has_its_new_line(disabled):
    program("""
        memwhy.start()
        assert follows(memwhy)
        in_force, detail, _ = _memwhy._check_reuse()
        assert in_force and detail == sys.argv[1], detail
    """, DETAILS[disabled], disabled=disabled)


@pytest.mark.parametrize("disabled", ["reuse", "all"])
def test_without_the_mechanism_it_keeps_its_former_line(disabled):
    program("""
        memwhy.start()
        former = lines(memwhy)
        assert former and SECOND not in former, former
        in_force, detail, _ = _memwhy._check_reuse()
        assert not in_force and detail == "switched off by MEMWHY_DISABLE", detail
    """, disabled=disabled)


@pytest.mark.parametrize("disabled", WAYS)
def test_objects_of_every_kind_have_their_new_line(disabled):
    program("""
        kinds = {
            "float": lambda: 0.5 * random.random(),
            "tuple": lambda: (random.random(), 1),
            "list": lambda: [1],
            "dict": lambda: {1: 2},
            "bound method": lambda: first.__get__(1),
            "instance": lambda: Instance(),
        }
        class Instance: pass
        memwhy.start()
        for name, kind in kinds.items():
            former = [kind() for _ in range(300)]
            blocks = {id(one) for one in former}
            del former
            again = [kind() for _ in range(60)]
            for one in again:
                line = memwhy.get_object_traceback(one)
                if id(one) in blocks and line is not None:
                    assert line[-1].lineno == kind.__code__.co_firstlineno, (name, line)
    """, disabled=disabled)


BORN_AGAIN = HELPERS + """
MAKERS = [eval(compile("\\n" * (10 * line) + f"lambda n: {text}", "born.py", "eval"))
          for line, text in enumerate(
              ("n * 1.5", "[n, n]", "(n,)", "(n, n + 1)", "{n: n}", "n + 0.25",
               "tuple([n] * (n % 5 + 1))", "tuple(i for i in [n] * (n % 20 + 1))"))]
source = random.Random(int(sys.argv[1]))
kept, checked = {}, 0
memwhy.start()
for step in range(15000):
    place, maker = source.randrange(300), source.randrange(len(MAKERS))
    kept[place] = None, None
    kept[place] = MAKERS[maker](step), 10 * maker + 1
    if step % 3000 == 0:
        gc.collect()  # which empties the free lists
    if step % 1000 == 0 or source.randrange(300) == 0:
        memwhy.take_snapshot() if source.randrange(2) else None
        for made, line in kept.values():
            traceback = memwhy.get_object_traceback(made)
            if traceback is not None and traceback[-1].filename == "born.py":
                assert traceback[-1].lineno == line, (made, line, traceback)
                checked += 1
        assert _memwhy._check_tallies()
memwhy.stop()
print("ok", checked)
"""


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("disabled", [*WAYS, "marks"])
def test_an_object_has_its_last_line_however_often_its_block_is_born_in(disabled, seed):
    printed = run(BORN_AGAIN, str(seed), env=environment(MEMWHY_DISABLE=disabled or ""))
    assert printed.startswith("ok") and int(printed.split()[1]) > 5000


@pytest.mark.parametrize("disabled", WAYS)
def test_the_standard_module_shows_nothing(disabled):
    program("""
        assert silent() == SILENT
        memwhy.start()
        assert follows(memwhy) and silent() == SILENT
        limit = tracemalloc.get_traceback_limit()
        tracemalloc.clear_traces(); tracemalloc.reset_peak(); tracemalloc.stop()
        try:
            tracemalloc.take_snapshot()
        except RuntimeError:
            pass
        else:
            raise AssertionError("a snapshot")
        assert follows(memwhy) and silent() == SILENT
        assert limit == tracemalloc.get_traceback_limit() == 1
        memwhy.stop()
        assert silent() == SILENT
    """, disabled=disabled)


@BORROWS
@pytest.mark.parametrize("disabled", WAYS)
def test_the_standard_module_may_be_started_and_stopped_in_any_order(disabled):
    """A model says who is tracing; both must follow their own objects at any moment."""
    program("""
        tracers = [memwhy, tracemalloc]
        for seed in range(4):
            rng = random.Random(seed)
            is_on = {memwhy: False, tracemalloc: False}
            for step in range(60):
                tracer = rng.choice(tracers)
                if is_on[tracer] and rng.random() < 0.7:
                    tracer.stop()
                    is_on[tracer] = False
                else:
                    tracer.start(rng.choice([1, 5]))
                    is_on[tracer] = True
                for each in tracers:
                    assert each.is_tracing() == is_on[each], (seed, step)
                    if is_on[each]:
                        assert follows(each), (seed, step, each.__name__, lines(each))
                    else:
                        assert each.get_traced_memory() == (0, 0), (seed, step)
            memwhy.stop(); tracemalloc.stop()
    """, disabled=disabled)


@BORROWS
@pytest.mark.parametrize("disabled", WAYS)
def test_a_refused_start_of_the_standard_module_changes_nothing(disabled):
    program("""
        memwhy.start()
        for wrong in 0, 70000, "one":
            try:
                tracemalloc.start(wrong)
            except (ValueError, TypeError):
                pass
            else:
                raise AssertionError("started")
            assert follows(memwhy) and silent() == SILENT
    """, disabled=disabled)


@pytest.mark.parametrize("disabled", WAYS)
def test_the_standard_module_may_have_been_started_with_the_interpreter(disabled):
    program("""
        assert tracemalloc.is_tracing()
        memwhy.start()
        assert follows(memwhy) and tracemalloc.get_traceback_limit() == 7
        memwhy.stop()
        assert tracemalloc.is_tracing() and follows(tracemalloc)
    """, options=["-X", "tracemalloc=7"], disabled=disabled)


@BORROWS
@pytest.mark.parametrize("disabled, answer", [(None, -2), ("detour", 0), ("reuse", -2)])
def test_what_extensions_report_does_no_harm(disabled, answer):
    """-2 is "not tracing".  Through the table alone they are recorded in vain; also where a
    function begins so that a jump cannot be written at once, or covers two instructions."""
    program("""
        track = ctypes.pythonapi.PyTraceMalloc_Track
        untrack = ctypes.pythonapi.PyTraceMalloc_Untrack
        track.argtypes = [ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t]
        untrack.argtypes = [ctypes.c_uint, ctypes.c_size_t]
        places = [ctypes.cast(function, ctypes.c_void_p).value for function in (track, untrack)]
        def begins_with_push(place):
            code = ctypes.string_at(place, 2)
            return code[code[0] == 0x41] & 0xF8 == 0x50
        is_writable = not any(place % 16 > 11 or begins_with_push(place) for place in places)
        answer = int(sys.argv[1]) if is_writable or sys.argv[2] == "reuse" else 0
        memwhy.start()
        assert track(7, 4096, 100) == answer and untrack(7, 4096) == answer
        assert silent() == SILENT and follows(memwhy) == (sys.argv[2] != "reuse")
        tracemalloc.start()
        assert track(7, 4096, 100) == 0 and tracemalloc.get_traced_memory()[0] >= 100
        assert untrack(7, 4096) == 0
        tracemalloc.stop()
        assert track(7, 4096, 100) == answer and untrack(7, 4096) == answer
        memwhy.stop()
        assert track(7, 4096, 100) == -2 and untrack(7, 4096) == -2
    """, str(answer), str(disabled), disabled=disabled)


@BORROWS
@pytest.mark.parametrize("disabled", [None, "detour", "reuse"])
def test_the_interpreters_code_is_as_it_was(disabled):
    """Each page of it is compared with the file that it is loaded from; while the jump is in
    force, one or two pages differ.  Those of Track and Untrack stay."""
    out = program("""
        def differing():
            count = 0
            address = ctypes.cast(ctypes.pythonapi._Py_NewReference, ctypes.c_void_p).value
            segments = [line.split() for line in mappings()]
            file = next(path for place, *_, path in (s for s in segments if len(s) == 6)
                        if int(place.split("-")[0], 16) <= address < int(place.split("-")[1], 16))
            for place, access, offset, *_, path in (s for s in segments if len(s) == 6):
                if path == file and "x" in access:
                    assert access == "r-xp", access
                    start, end = (int(number, 16) for number in place.split("-"))
                    with open(file, "rb") as stream:
                        stream.seek(int(offset, 16))
                        stored = stream.read(end - start)
                    loaded = ctypes.string_at(start, end - start)[:len(stored)]
                    count += sum(stored[at:at + 4096] != loaded[at:at + 4096]
                                 for at in range(0, len(stored), 4096))
            return count
        before = differing()
        memwhy.start()
        during = differing()
        memwhy.stop()
        print(before, during, differing())
    """, disabled=disabled)
    before, during, after = map(int, out.split())
    assert before == 0
    assert during in ((1, 2, 3) if disabled is None else (0,))
    assert after in ((during - 1, during) if disabled is None else (0,))


@BORROWS
def test_where_code_may_not_be_changed_the_table_serves():
    """PR_SET_MDWE makes the kernel refuse memory that was not executable, or can be
    written to; so do some security modules."""
    out = program("""
        PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
        if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) == 0:
            memwhy.start()
            assert follows(memwhy) and silent() == SILENT
            print(*_memwhy._check_reuse(), sep="\\n")
    """)
    if not out:
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3)")
    in_force, detail, reason = out.splitlines()
    assert (in_force, detail) == ("True", DETAILS["detour"])
    assert reason == "the system does not let memory become executable"


@pytest.mark.parametrize("disabled", WAYS)
def test_a_thousand_starts_leave_nothing_behind(disabled):
    program("""
        memwhy.start(); memwhy.stop(); memwhy.start(); memwhy.stop()
        before = len(mappings())
        for _ in range(1000):
            memwhy.start(); memwhy.stop()
        assert len(mappings()) <= before + 3
        memwhy.start()
        assert follows(memwhy)
    """, disabled=disabled)


@pytest.mark.parametrize("disabled", WAYS)
def test_a_forked_child_follows_its_own_objects(disabled):
    program("""
        memwhy.start()
        child = os.fork()
        if child == 0:
            is_well = follows(memwhy)
            memwhy.stop()
            is_well = is_well and silent() == SILENT
            memwhy.start()
            os._exit(0 if is_well and follows(memwhy) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert follows(memwhy)
    """, disabled=disabled)


@pytest.mark.parametrize("disabled", WAYS)
def test_threads_follow_their_own_objects(disabled):
    """All make floats at once, each on a line of its own."""
    program("""
        def body(index):
            source = "\\n" * (100 + index) + "kept = [[index] for _ in range(50)]"
            code = compile(source, "<thread>", "exec")
            for _ in range(60):
                names = {"index": index}
                exec(code, names)
                for one in names["kept"]:
                    traceback = memwhy.get_object_traceback(one)
                    if traceback is not None and traceback[-1].lineno != 101 + index:
                        wrong.append((index, traceback))
        wrong = []
        sys.setswitchinterval(1e-5)
        memwhy.start(25)
        threads = [threading.Thread(target=body, args=[index]) for index in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert not wrong, wrong[:3]
    """, disabled=disabled)


@pytest.mark.parametrize("disabled", WAYS)
def test_threads_may_make_objects_while_tracing_is_started_and_stopped(disabled):
    program("""
        def body():
            while not is_over.is_set():
                lines(memwhy)
        is_over = threading.Event()
        sys.setswitchinterval(1e-5)
        threads = [threading.Thread(target=body) for _ in range(3)]
        for thread in threads: thread.start()
        for round in range(150):
            memwhy.start()
            if round % 5 == 0: tracemalloc.start()
            memwhy.stop()
            tracemalloc.stop()
        is_over.set()
        for thread in threads: thread.join()
        assert silent() == SILENT
        memwhy.start()
        assert follows(memwhy)
    """, disabled=disabled)


@pytest.mark.parametrize("disabled", WAYS)
@pytest.mark.parametrize("end", ["pass", "memwhy.stop()", "tracemalloc.start()",
                                 "import atexit; atexit._clear()",
                                 "import atexit; atexit.register(memwhy.start); memwhy.stop()",
                                 "ctypes.pythonapi.Py_IncRef(ctypes.py_object(_memwhy)); "
                                 "import atexit; atexit._clear()"])
def test_the_interpreter_ends_well(disabled, end):
    """Also where the callback that we have with atexit is lost, and the module leaks."""
    program(f"""
        memwhy.start()
        class Last:
            def __del__(self): first()
        kept = Last(), follows(memwhy)
        {end}
    """, disabled=disabled)


@BORROWS
def test_the_standard_module_is_imported_by_who_needs_it():
    """We have looked at _tracemalloc, but leave no trace of it."""
    assert run("""
        import sys, memwhy
        print("_tracemalloc" in sys.modules, "tracemalloc" in sys.modules)
        memwhy.start()
        import tracemalloc
        print(tracemalloc.is_tracing())
    """) == "False False\nFalse\n"


@pytest.mark.skipif(not IS_TOLD, reason="PyRefTracer came with 3.13")
def test_it_is_said_when_somebody_takes_our_place():
    program("""
        memwhy.start()
        assert _memwhy._check_reuse()[0]
        tracemalloc.start()
        in_force, detail, _ = _memwhy._check_reuse()
        assert not in_force and detail == "none: somebody else has PyRefTracer's one place", detail
    """)
