# SPDX-License-Identifier: MIT
"""Puts memwhy.tracemalloc into sys.modules in place of the standard module, and back."""

import sys
import types

_C_NAMES = (
    "_get_object_traceback",
    "_get_traces",
    "clear_traces",
    "get_traceback_limit",
    "get_traced_memory",
    "get_tracemalloc_memory",
    "is_tracing",
    "reset_peak",
    "start",
    "stop",
)

# What stood in sys.modules before install(), None where nothing did; empty when not
# installed.
_replaced = {}


def _make_c_module():
    """A stand-in for _tracemalloc, the standard module's C side."""
    from memwhy import _memwhy

    module = types.ModuleType("_tracemalloc", "Debug module to trace memory blocks allocated.")
    for name in _C_NAMES:
        setattr(module, name, getattr(_memwhy, name))
    return module


def install():
    """See memwhy.tracemalloc.install()."""
    from memwhy import tracemalloc

    if _replaced:
        return
    for name, module in (("tracemalloc", tracemalloc), ("_tracemalloc", _make_c_module())):
        _replaced[name] = sys.modules.get(name)
        sys.modules[name] = module


def uninstall():
    """See memwhy.tracemalloc.uninstall()."""
    for name, module in _replaced.items():
        if module is not None:
            sys.modules[name] = module
        else:
            sys.modules.pop(name, None)
    _replaced.clear()
