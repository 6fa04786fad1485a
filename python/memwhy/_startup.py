# SPDX-License-Identifier: MIT
"""What happens before the first line of a program that is to be traced from its start.

memwhy.pth imports this while `site` is read, in two cases.

MEMWHY_RUN is set: `memwhy run` started the program.  Tracing starts, and one report is
arranged at the program's end.  Three things hold throughout: the program's standard output,
exit status and children are its own; what goes wrong here is one sentence on stderr; and a
forked child is silent.  With `-o` a capture is written, and with `--follow-fork` one of
each Python process that the program starts: for those that begin anew, MEMWHY_RUN stays.

Else MEMWHY is set: its owner wants the program, and what it starts, traced.  Tracing starts
as it says, and that is all, but for a capture where it asks for one.  If it cannot be
followed, one sentence on stderr says why, and the program runs untraced.
"""
import atexit
import os
import sys

_WHOLE_TRACEBACKS = 65535  # the most that any tracer of this kind can be asked for


class _Run:
    """One traced run: what was asked for, and whether its report is still owed."""

    def __init__(self, options, json_path):
        self.json_path = json_path
        self.by = options["by"]
        self.top = int(options["top"]) or (3 if self.by == "traceback" else 10)
        self.nframe = int(options["nframe"]) or _WHOLE_TRACEBACKS
        self.process = os.getpid()
        self.is_owed = True
        # Relative paths mean what they meant here, wherever the program goes.
        self.working_directory = _working_directory()
        self.stderr = _file_identity(2)

    def end(self, status=None):
        """The process ends, with that exit status if it is known by now."""
        from memwhy import _memwhy

        if status is None and os.getpid() == self.process:
            _flush_output()
        _memwhy._record_stop()
        self.report_once()
        if status is not None:
            _memwhy._record_stop(status)

    def report_once(self):
        """Write the report, unless it was written or this is a forked child."""
        if not self.is_owed or os.getpid() != self.process:
            return
        self.is_owed = False
        try:
            _report(self)
            _say(self, _capture_line())
        except BaseException as error:  # also KeyboardInterrupt: the program is over
            _say(self, f"memwhy: the summary could not be made: {_describe(error)}.\n")


def _read(settings):
    """What `memwhy run` has said: options as a dict, and the file for JSON or nothing."""
    options, _, json_path = settings.partition(",json=")
    return dict(item.split("=", 1) for item in options.split(",")), json_path


def _working_directory():
    try:
        return os.getcwd()
    except OSError:
        return ""


def _file_identity(number):
    try:
        info = os.fstat(number)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _describe(error):
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _say(run, text):
    """Write to stderr as the program found it; not into a file that took its number."""
    if run.stderr is None or _file_identity(2) != run.stderr:
        return
    data = text.encode("utf-8", "replace")
    try:
        while data:
            data = data[os.write(2, data):]
    except OSError:
        pass  # nobody is listening any more


def _report(run):
    from memwhy import _memwhy, _record

    if not _memwhy.is_tracing():
        _say(run, "memwhy: the program stopped the tracing itself, so there is no summary.\n")
        return
    current, peak = _memwhy.get_traced_memory()
    overhead = sum(_memwhy.get_overhead().values())
    lost = _memwhy.get_lost()
    degraded = _memwhy.get_degraded()
    snapshot = _memwhy.take_snapshot()
    arguments = {
        "by": run.by,
        "top": run.top,
        "current": current,
        "peak": peak,
        "overhead": overhead,
        "lost": lost,
        "degraded": tuple(degraded[key] for key in ("stage", "cut_blocks", "cut_bytes")),
        "program": _program_places(run),
        "library": _record.library_places(),
        "directory": run.working_directory,
    }
    _say(run, _memwhy.report_text(snapshot, colour=_wants_colour(), width=_width(), **arguments))
    if run.json_path:
        _write_json(run, _memwhy.report_json(snapshot, **arguments))


def _capture_line():
    """Where the capture is, and what it has."""
    from memwhy import _memwhy

    state = _memwhy._record_state()
    if state is None:
        return ""
    try:
        size = _shown(os.stat(state["path"]).st_size)
    except OSError:
        return f"The capture could not be written to {_clean(state['path'])}.\n"
    count = state["snapshots"]
    text = (f"The capture is in {_clean(_relative(state['path']))}: "
            f"{count} snapshot{'' if count == 1 else 's'}, {_heaps(state['heaps'])}{size}.")
    if state["failures"]:
        text += f"  {state['failures']} could not be written."
    return text + "\n"


def _heaps(count):
    if not count:
        return ""
    return "1 heap, " if count == 1 else f"{count} heaps, "


def _relative(path):
    """The shorter of two names."""
    beneath = os.path.join(os.getcwd(), "")
    return path[len(beneath):] if path.startswith(beneath) else path


def _clean(text):
    """As a terminal may see it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _shown(size):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 10 * 1024 or unit == "GiB":
            return f"{size:.0f} {unit}"
        size /= 1024


def _program_places(run):
    """Files and directories whose lines are the program's, even inside a library."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    if not isinstance(path, str):
        # What -c and standard input are called in tracebacks.
        return ["<string>", "<stdin>"]
    path = os.path.join(run.working_directory, path)
    if getattr(main, "__package__", None):
        # `python -m package.module`: the whole package is the program.
        return [os.path.dirname(path), path]
    return [path]


def _wants_colour():
    return (not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
            and os.isatty(2))


def _width():
    try:
        return max(60, min(os.get_terminal_size(2).columns, 120))
    except OSError:
        return 80


def _write_json(run, text):
    try:
        _write_file(run.json_path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        _say(run, f"memwhy: cannot write \"{_clean(run.json_path)}\": {error.strerror}.\n")


def _write_file(path, data):
    """Whole or not at all: written aside and renamed, except to a device or a pipe."""
    if _is_written_to_directly(path):
        with open(path, "ab", buffering=0) as file:
            file.write(data)
        return
    path = os.path.realpath(path)
    aside = f"{path}.{os.getpid()}.tmp"
    try:
        with open(aside, "xb") as file:
            file.write(data)
        os.replace(aside, path)
    except BaseException:
        if os.path.exists(aside):
            os.unlink(aside)
        raise


def _is_written_to_directly(path):
    return (path.startswith(("/dev/std", "/dev/fd/"))
            or os.path.exists(path) and not os.path.isfile(path))


def _flush_output():
    # So that the report stands after the program's own last words where both go to one
    # file.  If it fails, Python's own flush fails again, and says so.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def _arrange(end):
    """Has end() called at the process's end, with the exit status where that is known."""
    leave = os._exit

    def _exit(status):
        if isinstance(status, int):  # else this call is an error, not the end
            end(status & 0xFF)
        leave(status)

    _exit.__doc__ = leave.__doc__
    _exit.__text_signature__ = getattr(leave, "__text_signature__", None)
    os._exit = _exit
    # Before the program could register anything, so it runs last of all.
    atexit.register(end)


def _begin(settings):
    from memwhy import _memwhy

    options, json_path = _read(settings)
    recording = _recording_of(options)
    run = _Run(options, json_path)
    # The end of a process that another one has made is told in that one's capture alone.
    run.is_owed = "parent" not in options
    _arrange(run.end)
    if recording is not None and recording.follows:
        os.environ["MEMWHY_RUN"] = _for_children(settings)
    _memwhy.start(run.nframe)
    if recording is not None:
        recording.begin()


def _recording_of(options):
    if "capture" not in options:
        return None
    from memwhy import _record

    path = options["capture"].replace("%2C", ",").replace("%25", "%")
    return _record.Recording(
        path, every=int(options["every"]), keep=int(options["keep"]), peak=options["peak"] == "1",
        follow=options["follow"] == "1", signal=int(options["signal"]),
        command_line=options["bare"] != "1", parent=int(options.get("parent", 0)),
        heap_at_exit=options["heap"] == "1", heap_signal=int(options["heapsignal"]),
        texts=options["texts"] == "1")


def _for_children(settings):
    """The same, from this process to those that it starts."""
    items = settings.partition(",json=")[0].split(",")
    kept = [item for item in items if not item.startswith("parent=")]
    return ",".join([*kept, f"parent={os.getpid()}"])


def _begin_as_told(settings):
    from memwhy import _memwhy, _start

    # An interpreter that the program makes later reads memwhy.pth as well; by then the
    # program may have stopped what was begun here.
    if not _memwhy._in_main_interpreter():
        return
    try:
        recording = _start.start_as_told(settings)
        if recording is not None:
            _arrange(_memwhy._record_stop)
            # Whoever is started with the same setting is a child, and has a file of its own.
            os.environ["MEMWHY"] = recording.setting_for_children
            recording.begin()
    except Exception as error:
        reason = _clean(str(error) if isinstance(error, ValueError) else _describe(error))
        text = f"memwhy: MEMWHY is not followed, and nothing traced: {reason}.\n"
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # nobody is listening


# Children see a clean environment: they are programs of their own.  Where both variables are
# set, who called `memwhy run` has said how this program is to be traced; MEMWHY stays for
# those that it starts.
_settings = os.environ.pop("MEMWHY_RUN", None)
if _settings is None:
    _begin_as_told(os.environ.get("MEMWHY", ""))
elif _settings != "probe":
    _begin(_settings)
