# SPDX-License-Identifier: MIT
"""The proof of marks at import: that it passes here, and that it can fail."""
import sys

import pytest
from processes import environment, run

from memwhy import _memwhy, _self_check

needs_marks = pytest.mark.skipif(not _self_check.has_place_for_marks(),
                                 reason="this build of Python has no place for marks")


@pytest.fixture(autouse=True)
def quiet(untraced):
    """A tracer would write marks of its own into the frames that are looked at."""


@needs_marks
def test_no_new_frame_shows_an_old_mark():
    frames, shown = _self_check.pushes(thoroughly=True)
    assert frames >= _self_check.FRAMES_MINIMUM and shown == 0
    assert _self_check.find_fault() is None
    assert _self_check.find_fault(thoroughly=True) is None


@needs_marks
def test_frames_are_looked_at_from_any_depth():
    """Where the current part of the stack is nearly full, the check makes room."""
    def at_depth(n):
        return at_depth(n - 1) if n else _self_check.pushes()[0]

    assert len({at_depth(depth) for depth in range(0, 200, 7)}) == 1


@needs_marks
def test_a_wrong_place_is_found_out_by_poison():
    """Four bytes further is padding, which no push resets."""
    frames, shown = _self_check.pushes(shift=4)
    assert shown == frames >= _self_check.FRAMES_MINIMUM
    assert _self_check.find_fault(shift=4).endswith("new frames showed an old mark")


# At -8 stands the lower half of a pointer, which may be a number like that of a mark.
@needs_marks
@pytest.mark.parametrize("shift", [-8, -4, -1, 1, 2])
def test_a_place_that_is_always_reset_is_found_out_by_survival(shift):
    assert _self_check.pushes(shift)[1] == 0
    assert _self_check.find_fault(shift) == "a mark does not outlast a call of C"


@pytest.mark.parametrize("shift", [-17, 17, 1 << 20])
def test_a_shift_beyond_the_frame_is_refused(shift):
    with pytest.raises(ValueError, match=r"^the shift must be in range \[-16; 16\]$"):
        _memwhy._marks_look(shift)


MARKS = """
import sys
import types

def marks():
    return next(one for one in _memwhy._doctor()["mechanisms"] if one["name"] == "marks")

def pretend(find_fault):
    "Has the package find this check in the place of its own."
    fake = types.ModuleType("memwhy._self_check")
    fake.find_fault = find_fault
    sys.modules["memwhy._self_check"] = fake
    return fake
"""
IMPORTED = MARKS + """
import memwhy
from memwhy import _memwhy
"""


@needs_marks
def test_marks_are_in_force_once_they_are_proved():
    assert run(IMPORTED + """if True:
        before = marks()["in_force"]
        memwhy.start()
        print(before, marks()["in_force"], _memwhy._check_marks()[0], marks()["detail"])
    """) == "False True True their self-check passed\n"


def test_a_fault_keeps_marks_off_for_good_and_is_told():
    assert run(MARKS + """if True:
        fake = pretend(lambda: "3 of 500 new frames showed an old mark")
        import memwhy
        from memwhy import _memwhy
        fake.find_fault = lambda: None
        for _ in range(2):
            memwhy.start()
            print(_memwhy._check_marks()[0], marks()["in_force"], marks()["detail"])
            kept = [object() for _ in range(100)]
            print(len(memwhy.take_snapshot().statistics("lineno")) > 0)
            memwhy.stop()
    """) == 2 * "False False 3 of 500 new frames showed an old mark\nTrue\n"


def test_a_proof_that_could_not_run_is_tried_again_at_the_start():
    assert run(MARKS + """if True:
        def broken():
            raise RecursionError
        fake = pretend(broken)
        import memwhy
        from memwhy import _memwhy
        memwhy.start()
        print(marks()["in_force"], marks()["detail"])
        memwhy.stop()
        fake.find_fault = lambda: None
        memwhy.start()
        print(marks()["in_force"])
    """) == "False their self-check could not run (RecursionError)\nTrue\n"


def test_an_interrupt_during_the_proof_is_the_users():
    assert run(MARKS + """if True:
        def interrupted():
            raise KeyboardInterrupt
        fake = pretend(interrupted)
        try:
            import memwhy
        except KeyboardInterrupt:
            print("interrupted")
        fake.find_fault = lambda: None
        import memwhy
        from memwhy import _memwhy
        memwhy.start()
        print(marks()["in_force"])
    """) == "interrupted\nTrue\n"


def test_a_start_within_the_proof_traces_without_marks():
    assert run(MARKS + """if True:
        def meanwhile():
            global _memwhy
            from memwhy import _memwhy
            _memwhy.start(1)
            print(_memwhy.is_tracing(), marks()["in_force"], marks()["detail"])
        pretend(meanwhile)
        import memwhy
        memwhy.clear_traces()
        print(memwhy.is_tracing(), marks()["in_force"])
    """) == "True False they have not been checked yet\nTrue True\n"


def test_the_programs_trace_and_profile_functions_hear_nothing():
    assert run(MARKS + """if True:
        heard = set()
        def listen(frame, event, argument):
            heard.add(frame.f_code.co_filename.rpartition("/")[2])
            return listen
        sys.settrace(listen)
        sys.setprofile(listen)
        import memwhy
        from memwhy import _memwhy
        sys.settrace(None)
        sys.setprofile(None)
        memwhy.start()
        print("_self_check.py" in heard, "__init__.py" in heard, marks()["detail"])
    """) == f"False True {expected_detail()}\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of 3.12")
def test_monitoring_tools_hear_nothing():
    assert run(MARKS + """if True:
        heard = set()
        tool = sys.monitoring
        tool.use_tool_id(2, "listener")
        tool.register_callback(2, tool.events.PY_START,
                               lambda code, offset: heard.add(code.co_filename))
        tool.set_events(2, tool.events.PY_START)
        import memwhy
        tool.set_events(2, 0)
        print(any(name.endswith("_self_check.py") for name in heard), len(heard) > 0)
    """) == "False True\n"


def test_the_check_neither_compiles_nor_collects_nor_looks_at_frames():
    """What a program's audit hooks and collector callbacks would notice."""
    assert run("""if True:
        import gc
        import sys
        from memwhy import _self_check
        heard = set()
        gc.callbacks.append(lambda phase, details: heard.add("gc"))
        sys.addaudithook(lambda event, arguments: heard.add(event))
        gc.collect(0)  # so that none is due
        heard.clear()
        _self_check.find_fault()
        print(sorted(heard))
    """) == "[]\n"


def expected_detail():
    return ("their self-check passed" if _self_check.has_place_for_marks()
            else "this build of Python has no place for them")


def test_the_check_is_left_out_when_marks_are_switched_off():
    assert run(IMPORTED + """if True:
        memwhy.start()
        print("memwhy._self_check" in sys.modules, marks()["detail"])
    """, env=environment(MEMWHY_DISABLE="marks")) == "False switched off by MEMWHY_DISABLE\n"
