# SPDX-License-Identifier: MIT
"""memwhy.start(), and the environment variable MEMWHY, which says the same in text."""
from memwhy import _memwhy

# The longest traceback that tracemalloc, and so a snapshot, knows.
_WHOLE_TRACEBACK = 65535

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGT", start=1):
    _UNITS[_letter] = _UNITS[_letter + "IB"] = 1024**_power


def start(nframe=None, *, filters=(), sample=None, max_overhead=None):
    """Start tracing Python memory allocations.

    nframe        the number of most recent frames that tracebacks in snapshots keep, from
                  1 to 65535; None (default) keeps whole tracebacks.  It makes no difference
                  to the cost of tracing: call paths are always recorded whole
    filters       Filter and DomainFilter objects, as for Snapshot.filter_traces(): blocks
                  that they do not let pass are never recorded.  They hold until stop()
    sample        record one block per so many bytes on average, and estimate the rest; an
                  int or text such as "512K"; None (default) records every block
    max_overhead  what memwhy itself may hold, an int or text such as "200M"; None
                  (default) sets no bound

    Does nothing when tracing has been started already.  Raises TypeError or ValueError for
    what it cannot use and MemoryError when there is no memory; tracing is then off.
    """
    _memwhy._start(
        _WHOLE_TRACEBACK if nframe is None else nframe,
        filters,
        _bytes("sample", sample),
        _bytes("max_overhead", max_overhead),
    )


def _bytes(name, value):
    """The number of bytes that an argument means; 0 for None."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError(f"{name} must be a number of bytes or text such as '512K', "
                        f"not {type(value).__name__}")
    count = _bytes_of_text(name, value) if isinstance(value, str) else value
    if not 1 <= count < 2**63:
        raise ValueError(f"{name} must be from 1 byte to 2**63 - 1, not {value!r}")
    return count


def _bytes_of_text(name, text):
    stripped = text.strip()
    digits = stripped.rstrip("KMGTIBkmgtib ")
    unit = stripped[len(digits):].strip().upper()
    try:
        # Nothing of what else Python takes for a number, such as 1_0, 1e3 or nan.
        if not digits.isascii() or digits.strip("0123456789."):
            raise ValueError
        number = float(digits) if "." in digits else int(digits)
        return int(number * _UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"{name} must be bytes, or a number with K, M, G or T such as '512K' "
                         f"or '1.5GiB', not {text!r}") from None


# ── MEMWHY=… ──────────────────────────────────────────────────────────────────────────


def start_as_told(text):
    """Start as the value of the variable MEMWHY says.

    0 or nothing: not at all.  1: memwhy.start().  Else name=value, separated by commas, in
    any order: nframe, sample and max_overhead as in start(), and as often as one likes
    only=PATTERN, exclude=PATTERN and under=PATTERN, which are filters.  Raises ValueError.
    """
    text = text.strip()
    if text not in ("", "0"):
        start(**_arguments({} if text == "1" else text.split(",")))


def _arguments(items):
    """The arguments of start() that name=value items mean."""
    arguments = {"filters": []}
    for item in items:
        name, equals, value = item.strip().partition("=")
        if not equals or not value:
            raise ValueError(f"it must be 0, 1 or name=value, separated by commas, not {item!r}")
        if name in _FILTERS:
            arguments["filters"].append(_FILTERS[name](value))
        elif name not in _ARGUMENTS:
            known = ", ".join([*_ARGUMENTS, *_FILTERS])
            raise ValueError(f"there is {known}, but no {name!r}")
        elif name in arguments:
            raise ValueError(f"{name} is there twice")
        else:
            arguments[name] = _ARGUMENTS[name](value)
    return arguments


def _number_of_frames(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= _WHOLE_TRACEBACK:
        raise ValueError(f"nframe must be a number from 1 to {_WHOLE_TRACEBACK}, not {text!r}")
    return int(text)


_ARGUMENTS = {"nframe": _number_of_frames, "sample": str, "max_overhead": str}
_FILTERS = {
    "only": lambda pattern: _memwhy.Filter(True, pattern),
    "exclude": lambda pattern: _memwhy.Filter(False, pattern),
    "under": lambda pattern: _memwhy.Filter(True, pattern, all_frames=True),
}
