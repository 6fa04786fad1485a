#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A small linter for our own C: rules that no compiler knows, each with its reason.

    tools/check_style.py [FILE...]      checks these files, or all C of the tree
    tools/check_style.py --self-test    checks that each rule finds what it is for
    tools/check_style.py --rules        prints the rules

A rule that is wrong for a file has that file in its `except_in`, where review sees it.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

FILE_LINES_MAXIMUM = 800
FUNCTION_LINES_MAXIMUM = 100


@dataclass(frozen=True)
class Source:
    name: str       # from the root of the tree, with slashes
    text: str       # as it is
    code: str       # the same with comments and literals blanked, line by line alike

    @property
    def is_header(self):
        return self.name.endswith(".h")


@dataclass(frozen=True)
class Rule:
    name: str
    reason: str
    find: Callable[[Source], Iterator[tuple[int, str]]]     # yields (line, complaint)
    bad: str        # a file that breaks the rule, for the self-test
    bad_name: str = "src/core/bad.c"
    except_in: frozenset = frozenset()


# ── helpers ───────────────────────────────────────────────────────────────────────────

TOKEN = re.compile(r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' """,
                   re.DOTALL | re.VERBOSE)


def blanked(text):
    """[text] with comments and literals replaced by spaces; its lines stay in place."""
    return TOKEN.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def calls_to(*names, rooms=("",)):
    """Finds calls of plain functions [names], not of members: x->free() is another's."""
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")

    def find(source):
        for match in pattern.finditer(source.code if source.name.startswith(rooms) else ""):
            yield line_of(source.code, match.start()), f"{match[1]}()"
    return find


def functions(code):
    """Yields (name, first line, last line) of each function with its brace in column 0."""
    heading = re.compile(r"^(?P<head>[A-Za-z_][^;{}#=]*?\))\s*\n\{", re.MULTILINE)
    for match in heading.finditer(code):
        end = code.find("\n}", match.end())
        if end < 0:
            continue
        name = re.search(r"(\w+)\s*\(", match["head"])
        yield name[1], line_of(code, match.start()), line_of(code, end) + 1


# ── rules ─────────────────────────────────────────────────────────────────────────────

def find_missing_licence(source):
    if not re.match(r"(/\*|//) SPDX-License-Identifier: MIT\b", source.text):
        yield 1, "the first line is not the licence's"


def find_missing_pragma_once(source):
    if source.is_header and not re.search(r"^#pragma once$", source.code, re.MULTILINE):
        yield 1, "no #pragma once"


def find_long_file(source):
    lines = source.text.count("\n")
    if lines > FILE_LINES_MAXIMUM:
        yield FILE_LINES_MAXIMUM, f"{lines} lines, at most {FILE_LINES_MAXIMUM}"


def find_long_function(source):
    for name, first, last in functions(source.code):
        lines = last - first + 1
        if lines > FUNCTION_LINES_MAXIMUM:
            yield first, f"{name}() has {lines} lines, at most {FUNCTION_LINES_MAXIMUM}"


def find_trailing_space(source):
    for number, line in enumerate(source.text.split("\n"), start=1):
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        elif "\t" in line:
            yield number, "a tab"
    if source.text and not source.text.endswith("\n"):
        yield source.text.count("\n") + 1, "no newline at the end of the file"


def find_version_question(source):
    for match in re.finditer(r"\bPY_VERSION_HEX\b", source.code):
        yield line_of(source.code, match.start()), "PY_VERSION_HEX"


def find_backward_jump(source):
    for _, first, last in functions(source.code):
        body = source.code.split("\n")[first - 1:last]
        labels = {}
        for number, line in enumerate(body):
            if label := re.match(r"([a-z]\w*):", line):
                labels[label[1]] = number
            if (jump := re.search(r"\bgoto (\w+);", line)) and jump[1] in labels:
                yield first + number, f"goto {jump[1]} goes back"


RULES = [
    Rule("licence",
         "one SPDX line on each file says whose terms hold, wherever the file is copied to",
         find_missing_licence, bad="int x;\n"),
    Rule("pragma-once",
         "a header that is included twice must not be read twice",
         find_missing_pragma_once, bad="/* SPDX-License-Identifier: MIT */\n",
         bad_name="src/core/bad.h"),
    Rule("long-file",
         "a file owns one type; past this many lines it owns two",
         find_long_file, bad="\n" * (FILE_LINES_MAXIMUM + 1),
         except_in=frozenset({"tests/unit/fnmatch_cases.h"})),     # a table of data
    Rule("long-function",
         "a function does one thing: a dozen lines, forty at most; past a hundred nobody sees it whole",
         find_long_function,
         bad="static int\nlong_one(int x)\n{\n" + "    x++;\n" * FUNCTION_LINES_MAXIMUM + "}\n"),
    Rule("white-space",
         "what cannot be seen makes differences that cannot be read",
         find_trailing_space, bad="int x; \n"),
    Rule("unbounded-copy",
         "they write past the end of what they are given: memcpy or snprintf with a checked size",
         calls_to("strcpy", "strcat", "sprintf", "vsprintf", "stpcpy", "gets", rooms="src/"),
         bad="void f(char *s)\n{\n    strcpy(s, s);\n}\n"),
    Rule("alloca",
         "host threads have stacks of any size, and overflowing one kills the program that we trace",
         calls_to("alloca", "__builtin_alloca", "strdupa"),
         bad="void f(void)\n{\n    alloca(8);\n}\n"),
    Rule("bare-malloc",
         "whoever allocates is given an mw_alloc: inside the host a private one, in tests one that fails",
         calls_to("malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup",
                  "asprintf", "vasprintf", "aligned_alloc", "posix_memalign", rooms="src/"),
         bad="void f(void *p)\n{\n    free(p);\n}\n",
         except_in=frozenset({"src/base/alloc.c"})),
    Rule("hooked-allocator",
         "the extension hooks Python's allocators: its own tables may not come from them",
         calls_to("PyMem_RawMalloc", "PyMem_RawCalloc", "PyMem_RawRealloc"),
         bad="void f(void)\n{\n    PyMem_RawMalloc(8);\n}\n", bad_name="src/pyext/bad.c"),
    Rule("silent-library",
         "the library stays silent: the command prints, the extension raises, the recorder counts",
         calls_to("printf", "puts", "perror", "abort", "exit",
                  rooms=("src/base/", "src/core/", "src/graph/", "src/capture/", "src/render/",
                         "src/tracer/", "src/native/", "src/pyext/")),
         bad='void f(void)\n{\n    puts("x");\n}\n'),
    Rule("version-question",
         "versions are asked once: code asks compat.h a question, and the answer knows the versions",
         find_version_question, bad="#if PY_VERSION_HEX >= 0x030D0000\n#endif\n",
         bad_name="src/pyext/bad.c",
         except_in=frozenset({"src/pyext/compat.h", "src/pyext/frames.h", "src/pyext/frames.c",
                              "src/pyext/heap_layouts.h"})),
    Rule("backward-jump",
         "one exit, `done:`, and jumps go forward; what goes back is a loop and should look like one",
         find_backward_jump,
         bad="int f(int x)\n{\nagain:\n    x++;\n    goto again;\n}\n"),
]


# ── running them ──────────────────────────────────────────────────────────────────────

def check(name, text):
    """Yields "file:line: complaint" for each place of [text] that breaks a rule."""
    source = Source(name, text, blanked(text))
    for rule in RULES:
        if name not in rule.except_in:
            for line, complaint in rule.find(source):
                yield rule, f"{name}:{line}: {complaint} [{rule.name}: {rule.reason}]"


def self_test():
    fine = ('/* SPDX-License-Identifier: MIT\n * free() and malloc() in a comment, "x".\n */\n'
            "#pragma once\n\nint f(struct hook *hook)\n{\n    hook->real.free(hook->ctx);\n"
            '    hook->calls.malloc(8);\n    g("strcpy(a, b)", \'"\');\n    goto done;\ndone:\n'
            "    return PyObject_Free(0);\n}\n")
    assert not list(check("src/core/fine.h", fine)), list(check("src/core/fine.h", fine))
    for rule in RULES:
        broken = {found.name for found, _ in check(rule.bad_name, rule.bad)}
        assert rule.name in broken, f"{rule.name} does not find its own example"
        for name in rule.except_in:
            assert rule.name not in {found.name for found, _ in check(name, rule.bad)}


def main(arguments):
    root = Path(__file__).resolve().parent.parent
    self_test()
    if arguments == ["--self-test"]:
        return 0
    if arguments == ["--rules"]:
        for rule in RULES:
            print(f"{rule.name}: {rule.reason}")
        return 0

    paths = [Path(argument).resolve() for argument in arguments] or sorted(
        path for room in ("include", "src", "tests/unit") for path in (root / room).rglob("*.[ch]"))
    complaints = [complaint for path in paths
                  for _, complaint in check(path.relative_to(root).as_posix(),
                                            path.read_text(encoding="utf-8"))]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
