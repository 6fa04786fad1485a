# SPDX-License-Identifier: MIT
"""The standard module tracemalloc, on memwhy's tracer.

    import memwhy.tracemalloc as tracemalloc

has every name of the standard module, with its signatures, results, text forms and
errors.  For code that imports `tracemalloc` itself, install() puts this module in its
place in sys.modules, and uninstall() puts the original back.
"""

from collections.abc import Sequence, Iterable
from functools import total_ordering
import fnmatch
import linecache
import os.path
import pickle

from memwhy import _memwhy

# The types and functions, implemented in C.
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
    _Traces,
    _get_object_traceback,
    _get_traces,
    clear_traces,
    get_traceback_limit,
    get_traced_memory,
    get_tracemalloc_memory,
    is_tracing,
    reset_peak,
    start,
    stop,
)


def _format_size(size, sign):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 100 and unit != "B":
            return ("%+.1f %s" if sign else "%.1f %s") % (size, unit)
        if abs(size) < 10 * 1024:
            return ("%+.0f %s" if sign else "%.0f %s") % (size, unit)
        size /= 1024
    digits = 1 if abs(size) < 100 else 0
    return ("%+.*f TiB" if sign else "%.*f TiB") % (digits, size)


def _compare_grouped_stats(old_group, new_group):
    from memwhy import _slow_paths

    return _slow_paths.compare_groups(old_group, new_group)


def _normalize_filename(filename):
    filename = os.path.normcase(filename)
    if filename.endswith(".pyc"):
        filename = filename[:-1]
    return filename


def get_object_traceback(obj):
    """
    Get the traceback where the Python object *obj* was allocated.
    Return a Traceback instance.

    Return None if the tracemalloc module is not tracing memory allocations or
    did not trace the allocation of the object.
    """
    # Programs replace the function by their own, in tests above all.
    if _get_object_traceback is not _memwhy._get_object_traceback:
        frames = _get_object_traceback(obj)
        return Traceback(frames) if frames is not None else None
    traceback = _memwhy._get_plain_object_traceback(obj)
    if traceback is not None:
        traceback._total_nframe = None  # the standard module does not tell either
    return traceback


def take_snapshot():
    """
    Take a snapshot of traces of memory blocks allocated by Python.

    Raises RuntimeError if the module is not tracing.
    """
    if not is_tracing():
        raise RuntimeError(
            "the tracemalloc module must be tracing memory allocations to take a snapshot"
        )
    # These may have been replaced too.
    if (
        is_tracing is _memwhy.is_tracing
        and _get_traces is _memwhy._get_traces
        and get_traceback_limit is _memwhy.get_traceback_limit
    ):
        return _memwhy._take_plain_snapshot()
    traces = _get_traces()
    traceback_limit = get_traceback_limit()
    return Snapshot(traces, traceback_limit)


def install():
    """Make `import tracemalloc` give this module, everywhere from now on.

    `_tracemalloc` is replaced as well.  The interpreter's own users, such as the warnings
    module, follow; modules that imported tracemalloc before keep what they have.
    Harmless when already installed.
    """
    from memwhy import _install

    _install.install()


def uninstall():
    """Put the standard modules back that install() replaced."""
    from memwhy import _install

    _install.uninstall()
