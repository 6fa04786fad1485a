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
    get_degraded,
    get_object_traceback,
    get_overhead,
    get_regions,
    get_sampling,
    get_traceback_limit,
)
# Exact tracing or sampling, whichever is on; memwhy.tracemalloc knows the former alone.
from memwhy._memwhy import (
    _either_clear_traces as clear_traces,
    _either_get_lost as get_lost,
    _either_get_traced_memory as get_traced_memory,
    _either_is_tracing as is_tracing,
    _either_reset_peak as reset_peak,
    _either_stop as stop,
    _either_take_snapshot as take_snapshot,
)
from memwhy._exact import exact
from memwhy._record import heap_to, snapshot_to
from memwhy._regions import carry, region
from memwhy._heap import Heap, growth, heap, why
from memwhy._start import start
from memwhy._trace import trace

__all__ = [
    "BaseFilter",
    "DomainFilter",
    "Filter",
    "Frame",
    "Heap",
    "Snapshot",
    "Statistic",
    "StatisticDiff",
    "Trace",
    "Traceback",
    "carry",
    "clear_traces",
    "exact",
    "get_degraded",
    "get_lost",
    "get_object_traceback",
    "get_overhead",
    "get_regions",
    "get_sampling",
    "get_traceback_limit",
    "get_traced_memory",
    "growth",
    "heap",
    "heap_to",
    "is_tracing",
    "region",
    "reset_peak",
    "snapshot_to",
    "start",
    "stop",
    "take_snapshot",
    "trace",
    "why",
]

# Registered on import, so before whatever the program registers later: it runs after the
# program's own exit handlers and before the interpreter takes its threads down.
_atexit.register(_memwhy._retire)

# Here rather than in the first start(): a millisecond of Python code, whose objects go to
# the interpreter's free lists, should not lie between the program and what it looks at.
_memwhy._marks_prove()
