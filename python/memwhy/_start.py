# SPDX-License-Identifier: MIT
"""memwhy.start(), and the environment variable MEMWHY, which says the same in text."""
import os

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
    """Start as the value of the variable MEMWHY says; return the Recording to begin, or None.

    0 or nothing: not at all.  1: memwhy.start().  Else name=value, separated by commas, in
    any order: nframe, sample and max_overhead as in start(), as often as one likes
    only=PATTERN, exclude=PATTERN and under=PATTERN, which are filters, and what a capture is
    to be: capture=FILE, every=, keep=, peak=1, signal=, follow_fork=1, command_line=0,
    heap_at_exit=1, heap_on_signal=, texts=0.
    Raises ValueError.
    """
    text = text.strip()
    if text in ("", "0"):
        return None
    arguments = _arguments({} if text == "1" else text.split(","))
    options = {name: arguments.pop(name) for name in _CAPTURE if name in arguments}
    recording = _recording(text, options, arguments) if options else None
    start(**arguments)
    return recording


def _recording(text, options, arguments):
    """What is to be recorded; None in a child of a process that does not follow forks."""
    from memwhy import _record

    if "capture" not in options:
        raise ValueError(f"{next(iter(options))} wants capture=FILE, the capture that it is for")
    if "keep" in options and "every" not in options:
        raise ValueError("keep wants every, the time between two snapshots")
    if options.get("peak") and "sample" in arguments:
        raise ValueError("peak wants every block: samples do not tell")
    if "parent" in options and not options.get("follow"):
        return None
    recording = _record.Recording(options.pop("capture"), **options)
    items = [item for item in text.split(",") if not item.strip().startswith("parent=")]
    recording.setting_for_children = ",".join([*items, f"parent={os.getpid()}"])
    return recording


def _arguments(items):
    """The arguments that name=value items mean, of start() and of a recording."""
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
        else:
            argument, read = _ARGUMENTS[name]
            if argument in arguments:
                raise ValueError(f"{name} is there twice")
            arguments[argument] = read(value)
    return arguments


def _yes_or_no(text):
    if text not in ("0", "1"):
        raise ValueError(f"what is either on or off is 1 or 0, not {text!r}")
    return text == "1"


def _of_record(function, name):
    def read(text):
        from memwhy import _record

        return getattr(_record, function)(*name, text)

    return read


def _number_of_frames(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= _WHOLE_TRACEBACK:
        raise ValueError(f"nframe must be a number from 1 to {_WHOLE_TRACEBACK}, not {text!r}")
    return int(text)


# Name → the argument that it means, and how its value is read.
_ARGUMENTS = {
    "nframe": ("nframe", _number_of_frames),
    "sample": ("sample", str),
    "max_overhead": ("max_overhead", str),
    "capture": ("capture", str),
    "every": ("every", _of_record("duration", ["every"])),
    "keep": ("keep", _of_record("duration", ["keep"])),
    "peak": ("peak", _yes_or_no),
    "signal": ("signal", _of_record("signal_number", [])),
    "follow_fork": ("follow", _yes_or_no),
    "command_line": ("command_line", _yes_or_no),
    "heap_at_exit": ("heap_at_exit", _yes_or_no),
    "heap_on_signal": ("heap_signal", _of_record("signal_number", [])),
    "texts": ("texts", _yes_or_no),
    "parent": ("parent", int),
}
_CAPTURE = ("capture", "every", "keep", "peak", "signal", "follow", "command_line",
            "heap_at_exit", "heap_signal", "texts", "parent")
_FILTERS = {
    "only": lambda pattern: _memwhy.Filter(True, pattern),
    "exclude": lambda pattern: _memwhy.Filter(False, pattern),
    "under": lambda pattern: _memwhy.Filter(True, pattern, all_frames=True),
}
