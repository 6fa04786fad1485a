# SPDX-License-Identifier: MIT
"""memwhy.trace, around a block of code and as a decorator."""
import asyncio
import inspect
import io
import re
import sys
import threading

import pytest

import memwhy

pytestmark = pytest.mark.usefixtures("untraced")

KEY_TYPES = ["lineno", "filename", "function", "module", "thread", "domain"]


def here():
    return sys._getframe(1).f_lineno


def traced(**options):
    """A tracer that prints into its attribute `text`."""
    text = io.StringIO()
    tracer = memwhy.trace(file=text, **options)
    tracer.text = text
    return tracer


def work():
    return bytes(100_000)


# ── a block of code ──────────────────────────────────────────────────────────────────


def test_a_block_is_traced_and_then_tracing_is_off():
    with memwhy.trace(file=None) as tracer:
        assert memwhy.is_tracing()
        kept, line = bytes(100_000), here()
    assert not memwhy.is_tracing()
    assert tracer.statistics[0].size > 100_000
    assert tracer.statistics[0].traceback[0].lineno == line
    assert 100_000 < tracer.current <= tracer.peak < 200_000
    assert tracer.overhead > 0
    assert tracer.snapshot.statistics("filename")[0].size > 100_000
    del kept


def test_what_the_block_freed_counts_for_the_peak_alone():
    with memwhy.trace(file=None) as tracer:
        work()
    assert tracer.peak > 100_000 > tracer.current
    assert all(row.size < 100_000 for row in tracer.statistics)


def test_the_report_goes_to_stderr(capsys):
    with memwhy.trace():
        kept = work()
    out, err = capsys.readouterr()
    assert out == "" and "memwhy: lineno" in err
    del kept


def test_nothing_is_printed_if_there_is_no_file(capsys):
    with memwhy.trace(file=None):
        kept = work()
    assert capsys.readouterr() == ("", "")
    del kept


def test_the_report_has_a_heading_the_top_rows_and_a_sum():
    with traced(top=3) as tracer:
        kept = [bytes(100_000),
                bytes(50_000), bytes(1),
                bytearray(40_000), [bytes(30_000)],
                bytes(20_000)]
    heading, *rows, total = tracer.text.getvalue().splitlines()
    assert heading == "======== memwhy: lineno ========"
    assert rows == [str(row) for row in tracer.statistics[:3]] and len(rows) == 3
    assert re.fullmatch(r"current 23\d\.\d KiB, peak 23\d\.\d KiB, memwhy itself [\d.]+ KiB", total)
    del kept


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_rows_come_by_every_key(key_type):
    with traced(key_type=key_type) as tracer:
        kept = work()
    assert f"memwhy: {key_type}" in tracer.text.getvalue()
    assert tracer.statistics[0].size > 100_000
    del kept


def test_the_biggest_traceback_is_shown_whole():
    with traced(key_type="traceback") as tracer:
        kept, line = work(), here()
    text = tracer.text.getvalue()
    assert re.search(r"biggest traceback: 97\.7 KiB in 1 block\b", text)
    assert f'File "{__file__}", line {line}' in text
    assert f'File "{__file__}", line {work.__code__.co_firstlineno + 1}' in text
    assert "return bytes(100_000)" in text
    del kept


def test_frames_are_limited_on_request():
    with traced(key_type="traceback", frame=1) as tracer:
        kept = work()
    assert len(tracer.statistics[0].traceback) == 1
    assert tracer.snapshot.traceback_limit == 1
    del kept


@pytest.mark.parametrize("key_type", ["difference", "deference"])
def test_the_difference_is_shown_with_signs(key_type):
    with traced(key_type=key_type) as tracer:
        kept = work()
    assert tracer.statistics[0].size_diff == tracer.statistics[0].size > 100_000
    assert "(+97.7 KiB)" in tracer.text.getvalue()
    del kept


def test_an_exception_passes_through_after_the_report():
    with pytest.raises(ZeroDivisionError):
        with traced() as tracer:
            kept = work()
            1 / 0
    assert not memwhy.is_tracing()
    assert tracer.statistics[0].size > 100_000
    assert tracer.text.getvalue().startswith("========")
    del kept


def test_a_body_that_stops_the_tracing_has_nothing_to_tell():
    with traced() as tracer:
        memwhy.stop()
    assert tracer.statistics is None and tracer.text.getvalue() == ""
    assert not memwhy.is_tracing()


def test_its_own_memory_is_not_in_the_rows():
    with memwhy.trace(file=None) as tracer:
        pass
    assert not any("_trace.py" in str(row) for row in tracer.statistics)
    assert tracer.current < 2000


# ── when tracing is on already ───────────────────────────────────────────────────────


def test_a_running_trace_goes_on_and_what_was_before_does_not_count():
    memwhy.start()
    before = work()
    with memwhy.trace(file=None) as tracer:
        kept = bytearray(50_000)
    assert memwhy.is_tracing()
    assert memwhy.get_object_traceback(before) is not None
    assert 50_000 < tracer.current < 60_000
    assert [row for row in tracer.statistics if row.size_diff > 40_000][0].size_diff > 50_000
    assert all(row.size_diff < 60_000 for row in tracer.statistics)
    del kept


def test_blocks_may_be_nested():
    with memwhy.trace(file=None) as outer:
        first = work()
        with memwhy.trace(file=None) as inner:
            second = bytearray(50_000)
        assert memwhy.is_tracing()
    assert not memwhy.is_tracing()
    assert 50_000 < inner.current < 60_000 < 150_000 < outer.current < 170_000
    del first, second


# ── a function ───────────────────────────────────────────────────────────────────────


def test_a_decorated_function_keeps_its_name_arguments_and_result():
    text = io.StringIO()

    @memwhy.trace(file=text)
    def add(a, /, b, *, c=3):
        "Adds."
        assert memwhy.is_tracing()
        return a + b + c

    assert add(1, b=2) == 6 and add(1, 2, c=0) == 3
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    assert not memwhy.is_tracing()
    assert text.getvalue().count("========\n") == 2


def test_parentheses_may_be_left_out(capsys):
    @memwhy.trace
    def make():
        return work()

    kept = make()
    assert len(kept) == 100_000
    assert "test_trace.py" in capsys.readouterr().err


def test_a_decorated_function_may_call_itself_and_may_run_in_threads():
    @memwhy.trace(file=None)
    def descend(n):
        return [n] + (descend(n - 1) if n else [])

    assert descend(5) == [5, 4, 3, 2, 1, 0]
    threads = [threading.Thread(target=descend, args=(5,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    memwhy.stop()


def test_a_decorated_method_is_given_its_object():
    class Subject:
        @memwhy.trace(file=None)
        def me(self):
            return self

    subject = Subject()
    assert subject.me() is subject


def test_coroutine_functions_are_traced_until_they_return():
    text = io.StringIO()

    @memwhy.trace(file=text)
    async def make():
        await asyncio.sleep(0)
        return work()

    assert inspect.iscoroutinefunction(make)
    kept = asyncio.run(make())
    assert len(kept) == 100_000 and "97.7 KiB" in text.getvalue()


def test_generator_functions_are_refused_with_advice():
    def numbers():
        yield 1

    async def async_numbers():
        yield 1

    for function in (numbers, async_numbers):
        with pytest.raises(TypeError, match="put `with memwhy.trace"):
            memwhy.trace(function)
