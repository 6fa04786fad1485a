# SPDX-License-Identifier: MIT
"""What `memwhy doctor` does inside the interpreter that it asks about: looks around, traces
a small program, compares what is found with what is known to be right, and says so as text
or as JSON (docs/doctor.md).  src/cli/cmd_doctor.c starts it in a process of its own.
"""
import ctypes
import gc
import json
import os
import platform
import resource
import sys
import sysconfig
import textwrap

import _tracemalloc

import memwhy
from memwhy import _memwhy, _self_check

_LABEL_COLUMNS = 13
_NAME_COLUMNS = 14
_STATE_COLUMNS = 13
_BLOCKS = 1000
_DEPTH = 40
_EXPLAINED_LEAST = 0.98
_VALUE_LENGTH_MAXIMUM = 200

# What is lost when a mechanism is not in force.  Speed is regained by exact, slower code.
_COSTS_SPEED = ("marks", "pools", "detour")
_CONSEQUENCES = {
    "reuse": "objects taken from free lists keep the line of their first allocation",
    "capi-domains": "memory that C extensions report is not counted",
    "graph": "heap(), why() and growth() refuse",
}


# ── looking around ────────────────────────────────────────────────────────────────────


def _read(path):
    """The first line of a file, or None."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return None


def _jit():
    """'on', 'off', or None where there is none."""
    module = getattr(sys, "_jit", None)
    if module is None or not module.is_available():
        return None
    return "on" if module.is_enabled() else "off"


def _build():
    """How the interpreter was compiled, as far as it is known: Debian's static program is
    described by the settings of the shared library."""
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    flags = " ".join(str(sysconfig.get_config_var(name) or "") for name in (
        "OPT", "PY_CORE_LDFLAGS", "PY_CFLAGS_NODIST", "PY_LDFLAGS_NODIST"))
    file = _memwhy._doctor()["interpreter_file"] or ""
    return {
        "linkage": "shared" if ".so" in os.path.basename(file) else "static",
        "debug": bool(sysconfig.get_config_var("Py_DEBUG")),
        "pgo": "--enable-optimizations" in arguments or "-fprofile-use" in flags,
        "lto": "--with-lto" in arguments or "-flto" in flags,
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "jit": _jit(),
        "compiler": platform.python_compiler(),
    }


def _interpreter():
    return {
        "path": sys.executable,
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "build": _build(),
    }


def _memwhy_itself():
    return {
        "version": memwhy.__version__,
        "package": os.path.dirname(memwhy.__file__),
        "extension": _memwhy.__file__,
        # Imported by memwhy.pth, before anybody else could.
        "starts_early": "memwhy._startup" in sys.modules,
    }


def _other_tracers():
    """What else looks at allocations, or runs at each event."""
    found = []
    if _tracemalloc.is_tracing():
        found.append("tracemalloc is tracing")
    if _memwhy._doctor()["reference_tracer"]:
        found.append("another tool has the place for a reference tracer")
    if sys.gettrace() is not None:
        found.append("a trace function is set")
    if sys.getprofile() is not None:
        found.append("a profile function is set")
    monitoring = getattr(sys, "monitoring", None)
    for number in range(6 if monitoring else 0):
        if monitoring.get_tool(number):
            found.append(f"sys.monitoring is used by {monitoring.get_tool(number)}")
    if os.environ.get("LD_PRELOAD"):
        found.append("LD_PRELOAD is set")
    return found


def _memory_limit():
    """The limit of this process's control group in bytes, or None."""
    path = next((line[3:] for line in (_read_lines("/proc/self/cgroup") or [])
                 if line.startswith("0::")), "/")
    for file in (f"/sys/fs/cgroup{path}/memory.max", "/sys/fs/cgroup/memory.max",
                 "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _read(file)
        if text is not None:
            # The older interface says "no limit" with a number near 2**63.
            return int(text) if text.isdecimal() and int(text) < 1 << 60 else None
    return None


def _read_lines(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return None


def _number(text):
    return int(text) if text is not None and text.lstrip("-").isdecimal() else None


def _permissions():
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    return {
        "code_pages": _memwhy._doctor()["objection_to_code"] or "allowed",
        "address_space_limit": None if address_space == resource.RLIM_INFINITY else address_space,
        "cgroup_memory_limit": _memory_limit(),
        "overcommit_memory": _number(_read("/proc/sys/vm/overcommit_memory")),
        "ptrace_scope": _number(_read("/proc/sys/kernel/yama/ptrace_scope")),
    }


def _environment():
    # Ours as they were found, without the one that `memwhy doctor` itself sets.
    return {name: value[:_VALUE_LENGTH_MAXIMUM] for name, value in sorted(os.environ.items())
            if name.startswith("MEMWHY") and name != "MEMWHY_RUN"
            or name in ("PYTHONMALLOC", "PYTHONTRACEMALLOC", "PYTHONDEVMODE", "PYTHON_JIT")}


def _libc():
    try:
        version = ctypes.CDLL(None).gnu_get_libc_version
    except AttributeError:
        return None
    version.restype = ctypes.c_char_p
    return f"glibc {version().decode('ascii', 'replace')}"


def _system():
    return {"kernel": f"{platform.system()} {platform.release()}", "machine": platform.machine(),
            "libc": _libc()}


# ── trying it ─────────────────────────────────────────────────────────────────────────


def _check(name, passed, count, says):
    """One self-check; passed is None where it does not apply."""
    return {"name": name, "passed": passed, "count": count, "says": says}


def _frames_agree(depth):
    return _frames_agree(depth - 1) if depth else _memwhy._doctor_frames()


def _check_layout():
    facts = _memwhy._doctor()
    offsets = facts["offsets_compared"]
    yield _check("frames", _frames_agree(_DEPTH), _DEPTH,
                 f"{_DEPTH} deep, as the public functions say")
    yield _check("offsets", facts["offsets_agree"] if offsets else None, offsets,
                 f"{offsets} as the interpreter tells debuggers" if offsets else
                 "this version tells debuggers none")


def _check_marks():
    if not _self_check.has_place_for_marks():
        yield _check("new frames", None, 0, "this build has no place for marks")
        return
    frames, shown = _self_check.pushes(thoroughly=True)
    yield _check("new frames", shown == 0 and frames >= _self_check.FRAMES_MINIMUM, frames,
                 f"{shown} of {frames} showed an old mark")
    events = _self_check.survivals(thoroughly=True)
    wrong = [event for event, has_to_stay, stayed in events if stayed != has_to_stay]
    yield _check("lasting marks", not wrong, len(events),
                 f"wrong after {', '.join(wrong)}" if wrong else
                 f"as long as they must, {len(events)} events")


def _allocate(count):
    return [object() for _ in range(count)]


def _allocate_deep(depth):
    return [_allocate_deep(depth - 1)] if depth else _allocate(_BLOCKS)


_OBJECT_LINE = (__file__, _allocate.__code__.co_firstlineno + 1)


def _blocks_of_objects(snapshot):
    """(blocks, bytes, frames of the longest traceback) of the objects of _allocate()."""
    size = object.__basicsize__
    found = [trace for trace in snapshot.traces
             if trace.size == size and trace.traceback[-1]._frame == _OBJECT_LINE]
    return (len(found), sum(trace.size for trace in found),
            max((len(trace.traceback) for trace in found), default=0))


def _own_depth():
    frame, depth = sys._getframe(1), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def _check_account():
    """What is known to have been allocated, against what the tracer says."""
    # Below 3.12 a comprehension is a function of its own.
    inner = 1 if sys.version_info >= (3, 12) else 2
    kept = _allocate_deep(_DEPTH)
    depth = _own_depth() + _DEPTH + 1 + inner
    alive = _blocks_of_objects(memwhy.take_snapshot())
    del kept
    gc.collect()
    dead = _blocks_of_objects(memwhy.take_snapshot())
    size = object.__basicsize__
    yield _check("blocks", alive[:2] == (_BLOCKS, _BLOCKS * size), alive[0],
                 f"{alive[0]} of {_BLOCKS} objects found at their line")
    yield _check("tracebacks", alive[2] == depth, alive[2],
                 f"{alive[2]} frames found of {depth}")
    yield _check("frees", dead[0] == 0, dead[0],
                 f"{dead[0]} of {_BLOCKS} objects found once freed")
    large = bytearray(1_000_000)
    trace = memwhy.get_object_traceback(large)
    before = memwhy.get_traced_memory()[0]
    del large
    freed = before - memwhy.get_traced_memory()[0]
    yield _check("large blocks", trace is not None and 1_000_000 <= freed < 1_002_000, freed,
                 f"{freed:,} bytes gone with 1,000,000")


def _take_floats(count):
    return [number * 1.5 for number in range(count)]


def _check_reuse(mechanisms):
    in_force = any(one["in_force"] for one in mechanisms if one["name"] == "reuse")
    if not in_force:
        yield _check("free lists", None, 0, "not followed: reuse is not in force")
        return
    _take_floats(50)
    number = 3.0 * len(mechanisms)
    line = sys._getframe().f_lineno - 1
    trace = memwhy.get_object_traceback(number)
    right = trace is not None and trace[-1]._frame == (__file__, line)
    yield _check("free lists", right, 1, "an object from one has its new line"
                 if right else "an object from one has a former line")


class _Met:
    """A class of which there are as many objects as the trial makes."""


def _check_graph():
    """A walk of the heap in a child, as memwhy.heap() makes it, finds what there is."""
    kept = [_Met() for _ in range(_BLOCKS)]
    try:
        with memwhy.heap(timeout=20) as heap:
            count = next((row.count for row in heap.types() if row.type.endswith("._Met")), 0)
            explained = heap.explained
    except (RuntimeError, MemoryError, TimeoutError) as error:
        yield _check("objects", None, 0, str(error))
        return
    yield _check("objects", count == len(kept), count, f"{count} of {len(kept)} met by a walk")
    yield _check("references", explained >= _EXPLAINED_LEAST, round(explained * 100),
                 f"{explained:.2%} of all counts explained by it")


def _compared_marks():
    in_force, comparisons, mismatches = _memwhy._check_marks()
    if not in_force and not mismatches:
        return _check("comparisons", None, comparisons, "marks are not in force")
    return _check("comparisons", mismatches == 0 and comparisons > 0, comparisons,
                  f"{mismatches} of {comparisons:,} differed from a walk")


def _trace():
    """Traces a small program.  Returns (mechanisms as they were then, self-checks)."""
    _memwhy._check_marks(1)
    memwhy.start()
    try:
        checks = list(_check_account())
        mechanisms = _memwhy._doctor()["mechanisms"]
        checks += _check_reuse(mechanisms)
        checks.append(_compared_marks())
        lost = memwhy.get_lost()[0]
        checks.append(_check("losses", lost == 0, lost, f"{lost} blocks not recorded"))
    finally:
        memwhy.stop()
    stopped = not memwhy.is_tracing() and memwhy.get_traced_memory() == (0, 0)
    checks.append(_check("stop", stopped, 1, "nothing is traced after it"))
    return mechanisms, checks


# ── judging ───────────────────────────────────────────────────────────────────────────


def _with_need(mechanisms):
    """Adds whether each is of use here; the detour serves `reuse`, on 3.11 and 3.12."""
    is_reuse_off = any(one["name"] == "reuse" and one["disabled"] for one in mechanisms)
    for one in mechanisms:
        one["needed"] = True
        if one["name"] == "detour":
            one["needed"] = sys.version_info < (3, 13) and not is_reuse_off
        if not one["needed"] and not one["detail"]:
            one["detail"] = ("reuse is switched off" if is_reuse_off
                             else "this Python tells of them itself")
        one["detail"] = one["detail"] or "not in this version"
    return mechanisms


def _remedy(mechanism, found):
    """What to do about a mechanism that is not in force; None if there is nothing."""
    if mechanism["disabled"]:
        return "unset MEMWHY_DISABLE"
    if mechanism["name"] == "pools" and "PYTHONMALLOC" in found["environment"]:
        return "unset PYTHONMALLOC"
    if mechanism["name"] == "reuse" and found["other_tracers"]:
        return "stop the other tracer"
    if mechanism["name"] == "detour" and found["permissions"]["code_pages"] != "allowed":
        return "let the process make pages of code"
    if mechanism["name"] in ("marks", "pools") and found["interpreter"]["build"]["debug"]:
        return "use a release build of Python"
    return None


def _listed(words):
    words = list(words)
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _absences(mechanisms):
    """Such as "marks and pools are not in force (reason)", grouped by reason."""
    reasons = {}
    for one in mechanisms:
        reasons.setdefault(one["detail"], []).append(one["name"])
    return "; ".join(f"{_listed(names)} {'are' if names[1:] or names[0][-1] == 's' else 'is'} "
                     f"not in force ({reason})" for reason, names in reasons.items())


def _verdict(found):
    failed = [check for check in found["checks"] if check["passed"] is False]
    missing = [one for one in found["mechanisms"] if one["needed"] and not one["in_force"]]
    remedies = dict.fromkeys(filter(None, (_remedy(one, found) for one in missing)))
    advice = f"; {_listed(remedies)}" if remedies else ""
    faults = "; ".join(f"{check['name']}: {check['says']}" for check in failed)
    if any(check["name"] not in _OF_MARKS for check in failed):
        return f"memwhy does not work here: a self-check failed ({faults}). Please report it."
    if failed:
        return (f"memwhy works here: exact, but slower, since a self-check of marks failed "
                f"({faults}). Please report it.")
    if not missing:
        return "memwhy works here: exact and fast."
    inexact = [_CONSEQUENCES[one["name"]] for one in missing if one["name"] in _CONSEQUENCES]
    grade = "exact, but slower" if not inexact else f"exact, but {_listed(inexact)}"
    return f"memwhy works here: {grade}, since {_absences(missing)}{advice}."


# A failure of these switches marks off, and what serves instead is right.
_OF_MARKS = ("new frames", "lasting marks", "comparisons")


def examine():
    """Everything, as `memwhy doctor --json` writes it."""
    if memwhy.is_tracing():
        memwhy.stop()  # MEMWHY=… is set: the trial wants a fresh start
    found = {"format": "memwhy-doctor", "version": 1, "works": True, "verdict": ""}
    found["interpreter"] = _interpreter()
    found["memwhy"] = _memwhy_itself()
    found["allocator"] = _memwhy._doctor()["allocator"]
    found["other_tracers"] = _other_tracers()
    found["unknown_disabled"] = _memwhy._doctor()["unknown_disabled"]
    checks = [*_check_layout(), *_check_marks(), *_check_graph()]
    mechanisms, more = _trace()
    found["mechanisms"] = _with_need(mechanisms)
    found["checks"] = checks + more
    found["permissions"] = _permissions()
    found["environment"] = _environment()
    found["system"] = _system()
    found["verdict"] = _verdict(found)
    found["works"] = not found["verdict"].startswith("memwhy does not work")
    return found


# ── saying it ─────────────────────────────────────────────────────────────────────────


class _Page:
    """Labelled lines of text within a width."""

    def __init__(self, width, has_colour):
        self.width = width
        self.has_colour = has_colour
        self.lines = []

    def styled(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.has_colour and code else text

    def sentence(self, text):
        self.lines += [self.styled(line, "1") for line in self._wrapped(text, self.width)]

    def entry(self, label, text, code=None):
        """One entry below its label; only the first line has the label."""
        for line in self._wrapped(text, self.width - _LABEL_COLUMNS) or [""]:
            self.lines.append(f"{label:<{_LABEL_COLUMNS}}{self.styled(line, code)}".rstrip())
            label = ""

    def row(self, label, name, state, texts, code):
        """A row of a table: a name, a state, then texts that each begin a line."""
        left = _LABEL_COLUMNS + _NAME_COLUMNS + _STATE_COLUMNS
        head = f"{label:<{_LABEL_COLUMNS}}{name:<{_NAME_COLUMNS}}"
        head += self.styled(f"{state:<{_STATE_COLUMNS}}", code)
        for text in texts:
            for line in self._wrapped(text, self.width - left):
                self.lines.append(f"{head}{line}".rstrip())
                head = " " * left

    def gap(self):
        self.lines.append("")

    @staticmethod
    def _wrapped(text, width):
        # A file's name may contain anything; a terminal must not obey it.
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
        return textwrap.wrap(text, width, break_on_hyphens=False)


def _build_text(build):
    words = [build["linkage"], "debug" if build["debug"] else "release"]
    words += [name.upper() for name in ("pgo", "lto") if build[name]]
    words.append("with the GIL" if build["gil"] else "without the GIL")
    words.append(f"JIT {build['jit']}" if build["jit"] else "no JIT")
    return f"{', '.join(words)}; {build['compiler']}"


def _size_text(size):
    if size is None:
        return "none"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 100 * 1024 or unit == "GiB":
            return f"{size:.1f} {unit}" if size % 1 else f"{int(size)} {unit}"
        size /= 1024


def _add_interpreter(page, found):
    interpreter, itself = found["interpreter"], found["memwhy"]
    page.entry("interpreter", f"{interpreter['implementation']} {interpreter['version']}, "
                              f"{interpreter['path']}")
    page.entry("", _build_text(interpreter["build"]))
    page.entry("memwhy", f"{itself['version']}, {itself['package']}")
    page.entry("", "memwhy.pth is read as the interpreter starts" if itself["starts_early"] else
               "memwhy.pth is not read: memwhy run cannot trace from the start", None
               if itself["starts_early"] else "33")
    page.entry("allocator", found["allocator"] or "wrapped by another tool, or without a name")
    page.entry("tracers", "; ".join(found["other_tracers"]) or "no others")


def _add_mechanisms(page, found):
    label = "mechanisms"
    for one in found["mechanisms"]:
        state, code = ("in force", "32") if one["in_force"] else ("not in force", "33")
        if not one["needed"]:
            state, code = "not needed", None
        page.row(label, one["name"], state, [one["purpose"], one["detail"]], code)
        label = ""


def _add_checks(page, found):
    label = "self-checks"
    words = {True: ("passed", "32"), False: ("FAILED", "31;1"), None: ("-", None)}
    for check in found["checks"]:
        state, code = words[check["passed"]]
        page.row(label, check["name"], state, [check["says"]], code)
        label = ""


def _add_surroundings(page, found):
    allowed, system = found["permissions"], found["system"]
    page.entry("memory", f"limits: address space {_size_text(allowed['address_space_limit'])}, "
                         f"control group {_size_text(allowed['cgroup_memory_limit'])}; "
                         f"overcommit_memory {_or_unknown(allowed['overcommit_memory'])}")
    page.entry("permissions", f"code pages: {allowed['code_pages']}; "
                              f"ptrace_scope {_or_unknown(allowed['ptrace_scope'])}")
    label = "environment"
    for name, value in found["environment"].items():
        page.entry(label, f"{name}={value}")
        label = ""
    if not found["environment"]:
        page.entry(label, "nothing set for memwhy")
    if found["unknown_disabled"]:
        page.entry("", f"MEMWHY_DISABLE names \"{found['unknown_disabled']}\", which memwhy does "
                       "not know", "33")
    page.entry("system", ", ".join(filter(None, (system["kernel"], system["machine"],
                                                 system["libc"]))))


def _or_unknown(value):
    return "unknown" if value is None else value


def text_of(found, width=80, has_colour=False):
    """The page that `memwhy doctor` prints."""
    page = _Page(width, has_colour)
    page.sentence(found["verdict"])
    for add in (_add_interpreter, _add_mechanisms, _add_checks, _add_surroundings):
        page.gap()
        add(page, found)
    return "\n".join(page.lines) + "\n"


def main(arguments):
    """Prints the answer; returns 1 if a self-check failed."""
    width = next((int(word[8:]) for word in arguments if word.startswith("--width=")), 80)
    found = examine()
    if "--json" in arguments:
        text = json.dumps(found, indent=2) + "\n"
    else:
        text = text_of(found, width, "--colour" in arguments)
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.flush()
    return 1 if any(check["passed"] is False for check in found["checks"]) else 0
