# SPDX-License-Identifier: MIT
"""memwhy tells where a Python process's memory came from.

    import memwhy

    memwhy.start()
    ...
    for line in memwhy.take_snapshot().statistics("lineno")[:10]:
        print(line)

The names are tracemalloc's, with the same meaning; by default whole tracebacks are kept,
and frames know their functions.  memwhy.tracemalloc is the standard module to the letter.
"""
import sys as _sys

if "t" in _sys.abiflags:  # how a free-threaded build is named
    raise ImportError("memwhy does not support free-threaded builds of CPython yet")

import atexit as _atexit

from memwhy import _memwhy
from memwhy._memwhy import (
    BaseFilter,
    DomainFilter,
    Filter,
    Frame,
    Snapshot,
    Statistic,
    StatisticDiff,
    Trace,
    Traceback,
    __version__,
    clear_traces,
    get_degraded,
    get_lost,
    get_object_traceback,
    get_overhead,
    get_traceback_limit,
    get_traced_memory,
    is_tracing,
    reset_peak,
    stop,
    take_snapshot,
)
from memwhy._start import start
from memwhy._trace import trace

__all__ = [
    "BaseFilter",
    "DomainFilter",
    "Filter",
    "Frame",
    "Snapshot",
    "Statistic",
    "StatisticDiff",
    "Trace",
    "Traceback",
    "clear_traces",
    "get_degraded",
    "get_lost",
    "get_object_traceback",
    "get_overhead",
    "get_traceback_limit",
    "get_traced_memory",
    "is_tracing",
    "reset_peak",
    "start",
    "stop",
    "take_snapshot",
    "trace",
]

# Registered on import, so before whatever the program registers later: it runs after the
# program's own exit handlers and before the interpreter takes its threads down.
_atexit.register(_memwhy._retire)

# Here rather than in the first start(): a millisecond of Python code, whose objects go to
# the interpreter's free lists, should not lie between the program and what it looks at.
_memwhy._marks_prove()
