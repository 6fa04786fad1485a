# SPDX-License-Identifier: MIT
"""memwhy.trace: what a block of code, or a function, allocated and left behind."""
import sys

from memwhy import _memwhy

_KEY_TYPES = ("lineno", "filename", "function", "module", "thread", "domain", "region")
_DIFFERENCE = ("difference", "deference")  # the second is how a well-known article spells it
_WHOLE_TRACEBACK = 65535
_HERE = __file__


class trace:
    """Trace a block of code or a function, and show what it left behind.

        with memwhy.trace(top=5) as traced:
            ...
        traced.statistics       # a list of Statistic or StatisticDiff, largest first

        @memwhy.trace(frame=20, top=10, key_type="lineno")
        def work(): ...

    frame       frames that tracebacks keep; None (default) keeps whole tracebacks
    top         how many rows to show; default 10
    key_type    "lineno" (default), "filename", "function", "module", "thread", "domain" or
                "region": what is alive, by that key; "traceback": the biggest traceback;
                "difference": the change by line since the body began
    file        where to print, default sys.stderr; None prints nothing

    Attributes after the body: `statistics`, `snapshot`, and in bytes `current` (still
    alive), `peak` (both above what was alive before) and `overhead` (memwhy's own).

    When tracing is off, it is on for the body alone.  When it is on already it stays on,
    and what was alive before the body does not count; the process's peak is left alone, so
    `peak` is then the highest since it was last reset.  An exception passes through, after
    the report.  Decorates plain functions and coroutine functions; raises TypeError for
    generator functions, whose body runs in pieces.  Raises ValueError for an unknown
    key_type, and what memwhy.start() raises.
    """

    def __init__(self, function=None, /, *, frame=None, top=10, key_type="lineno", file=...):
        if key_type not in (*_KEY_TYPES, "traceback", *_DIFFERENCE):
            raise ValueError(f"unknown key_type: {key_type!r}")
        if not isinstance(top, int) or top < 1:
            raise ValueError(f"top must be a whole number from 1, not {top!r}")
        self.frame = frame
        self.top = top
        self.key_type = key_type
        self.file = file
        self.statistics = self.snapshot = None
        self.current = self.peak = self.overhead = 0

    def __new__(cls, function=None, /, **options):
        self = super().__new__(cls)
        if function is None:
            return self
        # @memwhy.trace without parentheses.
        self.__init__(**options)
        return self(function)

    # ── a block of code ──

    def __enter__(self):
        self._was_tracing = _memwhy.is_tracing()
        self._before = _memwhy.take_snapshot() if self._was_tracing else None
        self._current_before = _memwhy.get_traced_memory()[0]
        if not self._was_tracing:
            _memwhy.start(_WHOLE_TRACEBACK if self.frame is None else self.frame)
        return self

    def __exit__(self, *exception):
        if not _memwhy.is_tracing():
            return  # the body stopped the tracing, so there is nothing to tell
        current, peak = _memwhy.get_traced_memory()
        self.current = current - self._current_before
        self.peak = peak - self._current_before
        self.snapshot = _memwhy.take_snapshot()
        self.overhead = sum(_memwhy.get_overhead().values())
        if not self._was_tracing:
            _memwhy.stop()
        self.statistics = self._count()
        self._before = None
        if self.file is not None:
            self._show(sys.stderr if self.file is ... else self.file)

    def _count(self):
        key_type = "lineno" if self.key_type in _DIFFERENCE else self.key_type
        own = (_memwhy.Filter(False, _HERE),)
        snapshot = self.snapshot.filter_traces(own)
        if self._before is not None:
            rows = snapshot.compare_to(self._before.filter_traces(own), key_type)
            return [row for row in rows if row.size_diff or row.count_diff]
        if self.key_type in _DIFFERENCE:
            return snapshot.compare_to(_memwhy.Snapshot((), snapshot.traceback_limit), key_type)
        return snapshot.statistics(key_type)

    def _show(self, file):
        rows = self.statistics
        print(f"======== memwhy: {self.key_type} ========", file=file)
        if self.key_type == "traceback" and rows:
            print(_headline(rows[0]), file=file)
            for line in rows[0].traceback.format():
                print(line, file=file)
        elif self.key_type != "traceback":
            for row in rows[: self.top]:
                print(row, file=file)
        print(f"current {self.current / 1024:.1f} KiB, peak {self.peak / 1024:.1f} KiB, "
              f"memwhy itself {self.overhead / 1024:.1f} KiB", file=file)

    # ── a function ──

    def _again(self):
        """A fresh tracer with these options: a function may call itself."""
        return trace(frame=self.frame, top=self.top, key_type=self.key_type, file=self.file)

    def __call__(self, function):
        if not callable(function):
            raise TypeError(f"memwhy.trace decorates functions, not {function!r}")
        # Imported here, not with memwhy: a traced run loads memwhy before the program.
        import functools
        import inspect

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("memwhy.trace cannot decorate a generator function: "
                            "put `with memwhy.trace():` around the loop that uses it")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def traced(*args, **kwargs):
                with self._again():
                    return await function(*args, **kwargs)
        else:

            @functools.wraps(function)
            def traced(*args, **kwargs):
                with self._again():
                    return function(*args, **kwargs)

        return traced


def _headline(row):
    share = f"{row.size / 1024:.1f} KiB"
    return f"biggest traceback: {share} in {row.count} block{'s' if row.count != 1 else ''}"
