# SPDX-License-Identifier: MIT
"""Captures: memwhy.snapshot_to(), and what `memwhy run -o` and MEMWHY=capture=… have in common.

The work is done by a thread in C (src/pyext/recorder.c).  Here it is told what to do, once,
before the program begins; so nothing of this is in the program's snapshots.
"""
import _signal  # not signal, which brings enum and functools along: a quarter of our import
import os
import sys

from memwhy import _layouts, _memwhy

# The functions that make processes, which are wrapped where a recorder runs.
_FORKING = {
    ("posix", "os"): ("fork", "forkpty", "posix_spawn", "posix_spawnp"),
    ("_posixsubprocess",): ("fork_exec",),
}


def snapshot_to(path):
    """Write what is alive now to path, as a capture with one snapshot.

    It has what take_snapshot() has, as sums by line, and what was allocated since tracing
    began; `memwhy report` and `memwhy diff` read it.  The file is there whole or not at all.
    Raises RuntimeError when not tracing, and OSError when it cannot be written; warns, as
    take_snapshot() does, when something had taken memwhy's hooks out.
    """
    _memwhy._snapshot_to(path, describe())


def heap_to(path, *, texts=True, timeout=300, memory_limit=None):
    """Write every object of this process to path, as a capture with one heap.

    `memwhy heap` and `memwhy why` answer from it, anywhere.  It has the types, sizes and
    references of all objects, names of attributes and variables, and the first characters of
    each str, which texts=False leaves out, as well as numbers.  Where memwhy is tracing it also
    has the line that allocated each object, and a snapshot.

    A forked child does the work, as for memwhy.heap(), with little memory: about a hundredth of
    the heap's.  timeout is in seconds, memory_limit in bytes.  The file is there whole or not at
    all.  Raises TimeoutError, MemoryError, OSError, or RuntimeError with a sentence if the child
    cannot be made or dies; the program is not affected.
    """
    if not isinstance(timeout, (int, float)) or not 0 < timeout < 1e9:
        raise ValueError(f"timeout must be a number of seconds above 0, not {timeout!r}")
    if memory_limit is not None and (not isinstance(memory_limit, int)
                                     or not 0 < memory_limit < 1 << 63):
        raise ValueError(f"memory_limit must be a number of bytes above 0, not {memory_limit!r}")
    _layouts.check()
    _memwhy._heap_to(path, describe(), bool(texts), timeout, memory_limit or 0)


# ── what process this is ──────────────────────────────────────────────────────────────


def describe(command_line=True):
    """What process this is, for _memwhy._record_start()."""
    words = _program_words(list(sys.orig_argv))
    return {
        "name": _name(words),
        "command_line": " ".join(map(_quoted, sys.orig_argv)) if command_line else "",
        "directory": _working_directory(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable or "",
        "memwhy": _memwhy.__version__,
        "host": os.uname().nodename,
        "program": _program_places(words),
        "library": library_places(),
    }


def _program_words(words):
    """What of a command line is not the interpreter and its options."""
    rest = words[1:]
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "-c", "-m"):
        option = rest.pop(0)
        if option == "--":
            break
        if option[:2] in ("-c", "-m") and not option.startswith("--"):
            return [option[:2], option[2:], *rest]
        if option in ("-W", "-X", "--check-hash-based-pycs") and rest:
            del rest[0]
    return rest


def _name(words):
    if not words:
        return ""
    if words[0] == "-m" and len(words) > 1:
        return f"-m {words[1]}"
    return words[0]


def _quoted(word):
    plain = word and all(letter.isalnum() or letter in "%+,-./:=@_" for letter in word)
    return word if plain else "'" + word.replace("'", "'\"'\"'") + "'"


def _working_directory():
    try:
        return os.getcwd()
    except OSError:
        return ""


def _program_places(words):
    """Files and directories whose lines are the program's, before it has begun."""
    if not words or words[0] in ("-", "-c"):
        return ["<string>", "<stdin>"]
    if words[0] != "-m":
        return [os.path.join(_working_directory(), words[0])]
    # As the import system will find it, but without importing anything.
    package = words[1].partition(".")[0] if len(words) > 1 else ""
    for entry in [_working_directory(), *sys.path]:
        for place in (os.path.join(entry, package), os.path.join(entry, package + ".py")):
            if package and os.path.exists(place):
                return [place]
    return []


def library_places():
    """Directories of the standard library and of installed packages, and memwhy's own."""
    found = [os.path.dirname(os.__file__), os.path.dirname(__file__)]
    found += [entry for entry in sys.path
              if entry.endswith(("/site-packages", "/dist-packages", "/lib-dynload"))]
    return found


# ── what is to be recorded ────────────────────────────────────────────────────────────


def duration(name, text):
    """The nanoseconds that a text such as 10s, 1.5h or 250ms means.  Raises ValueError."""
    nanoseconds = _memwhy._parse_duration(text)
    if nanoseconds is None:
        raise ValueError(f"{name} takes a time such as 500ms, 10s, 5m or 24h, not {text!r}")
    if not 10**7 <= nanoseconds <= 3660 * 86400 * 10**9:
        raise ValueError(f"{name} takes a time from 10ms to 3660d, not {text!r}")
    return nanoseconds


# A process dies of faults: a handler that returns would have it fault for ever.  Nobody can
# catch the other two.
_UNFIT_SIGNALS = (_signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE, _signal.SIGILL,
                  _signal.SIGKILL, _signal.SIGSTOP)


def signal_number(text):
    """The number of a signal such as SIGUSR2, USR2 or 12.  Raises ValueError."""
    if text.isascii() and text.isdigit():
        number = int(text[:4])
    else:
        name = text.upper()
        name = name if name.startswith("SIG") else "SIG" + name
        # SIG_IGN and its like are numbers, too, and no signals.
        number = None if name.startswith("SIG_") else getattr(_signal, name, None)
    if number not in _signal.valid_signals() or number in _UNFIT_SIGNALS:
        raise ValueError(f"signal takes a signal that can be caught, such as SIGUSR2, "
                         f"not {text!r}")
    return int(number)


class Recording:
    """What a capture of this process is to be: made before tracing starts, begun after."""

    def __init__(self, path, *, every=0, keep=0, peak=False, follow=False, signal=0,
                 command_line=True, parent=0, heap_at_exit=False, heap_signal=0, texts=True):
        if parent and not follow:
            raise ValueError("a child is recorded only if its parent follows forks")
        # %p lets several processes share one setting.
        self.path = os.path.join(_working_directory(), path).replace("%p", str(os.getpid()))
        self.description = describe(command_line)
        self.follows = follow
        self.options = {"every": every, "keep": keep, "peak": peak, "follow": follow,
                        "signal": signal, "parent": parent, "heap_at_exit": heap_at_exit,
                        "heap_signal": heap_signal, "texts": texts}

        if heap_at_exit or heap_signal:
            try:
                _layouts.check()
            except RuntimeError:
                pass  # the recorder says it when a heap is due
        _wrap_forking()
        os.register_at_fork(after_in_child=_memwhy._record_forked)

    def begin(self):
        """Tracing has begun."""
        _memwhy._record_start(self.path, self.description, **self.options)


def _wrap_forking():
    for names_of_modules, names in _FORKING.items():
        modules = [__import__(name) for name in names_of_modules]
        for name in names:
            original = getattr(modules[0], name, None)
            if original is None:
                continue
            wrapped = _memwhy._record_wrap(name, original)
            for module in modules:
                setattr(module, name, wrapped)
