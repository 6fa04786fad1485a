#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the include law of docs/architecture.md.

A tracer's code inside the traced process may not allocate through what it hooks, may not
raise, must survive fork and shutdown; code outside may do anything.  So each room of src/
has a list of rooms whose headers it may include, and an include that is not on the list
fails here before it becomes a habit.

    tools/check_layers.py               checks this tree; silent when all is well
    tools/check_layers.py --self-test   checks that each rule finds what it is for
"""

import re
import sys
import tempfile
from pathlib import Path

BOTH_WORLDS = {"base", "core", "graph", "capture", "render", "heap"}

# Room → the rooms it may see, besides itself.
LAW = {
    # Both worlds.  base knows nothing of tracing, graph nothing of allocation sites.
    "base": set(),
    "core": {"base"},
    "graph": {"base"},
    "capture": {"base", "core", "graph"},
    "render": {"base", "core", "graph"},
    "heap": {"base", "core", "graph", "capture", "render"},
    # Inside the traced process.
    "tracer": {"base", "core", "capture"},
    "native": {"base"},
    "pyext": BOTH_WORLDS | {"tracer", "native"},
    # Outside of it.
    "symbols": BOTH_WORLDS,
    "attach": BOTH_WORLDS | {"symbols"},
    "serve": BOTH_WORLDS | {"symbols", "attach"},
    "tui": BOTH_WORLDS | {"symbols", "attach"},
    "cli": BOTH_WORLDS | {"symbols", "attach", "serve", "tui"},
}

# The unit tests, which are built without Python's headers.
UNIT_TESTS = BOTH_WORLDS | {"tracer", "native", "cli"}

# The one room that sees CPython's headers.
PYTHON_ROOM = "pyext"

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
PYTHON_HEADERS = re.compile(r"^(Python\.h|cpython/|internal/pycore_|pycore_|frameobject\.h$"
                            r"|structmember\.h$|pythread\.h$)")
SOURCE_INCLUDE = ".inc.c"   # a source made to be included, by its own room alone


def check_include(room, style, target, src):
    """Yields what is wrong with one #include of [target]; [room] None is a unit test."""
    name_of_room = f"src/{room}" if room else "tests/unit"
    sees = LAW[room] if room else UNIT_TESTS

    if PYTHON_HEADERS.match(target):
        if room != PYTHON_ROOM:
            yield f"<{target}>: only src/{PYTHON_ROOM} may see Python's headers"
        return
    if style == "<":
        return

    target_room, _, name = target.partition("/")
    if not name or ".." in target.split("/"):
        yield f'"{target}": write it with its room, as in "core/ids.h"'
    elif target_room not in LAW:
        yield f'"{target}": src/{target_room} is not a room; LAW in {Path(__file__).name} lists them'
    elif not (src / target).is_file():
        yield f'"{target}": there is no src/{target}'
    elif target_room != room and target_room not in sees:
        allowed = ", ".join(sorted(sees)) or "no other room"
        yield f'"{target}": {name_of_room} may not see src/{target_room} (it sees {allowed})'
    elif target.endswith(".c") and not (target.endswith(SOURCE_INCLUDE) and target_room == room):
        yield f'"{target}": a source is not included, unless it ends in {SOURCE_INCLUDE}'


def check_tree(root):
    """Yields "file:line: complaint" for all that breaks the law below [root]."""
    src = root / "src"
    seen = {}

    for path in sorted(src.rglob("*.[ch]")):
        parts = path.relative_to(src).parts
        where = path.relative_to(root)
        room = parts[0]
        if len(parts) != 2 or room not in LAW:
            yield f"{where}:1: belongs to no room; LAW in {Path(__file__).name} lists them"
            continue
        if path.name in seen:
            yield f"{where}:1: {seen[path.name]} has the same name; names are unique in the tree"
        seen.setdefault(path.name, where)
        yield from check_file(path, room, root)

    # Unit tests see what they test and their own helpers, never an interpreter.
    for path in sorted((root / "tests" / "unit").rglob("*.[ch]")):
        yield from check_file(path, None, root)


def check_file(path, room, root):
    text = path.read_text(encoding="utf-8")
    for match in INCLUDE.finditer(text):
        style, target = match.groups()
        if room is None and style == '"' and (path.parent / target).is_file():
            continue
        line = text.count("\n", 0, match.start()) + 1
        for complaint in check_include(room, style, target, root / "src"):
            yield f"{path.relative_to(root)}:{line}: {complaint}"


def cycle():
    """A room that can see itself through others, or None: layers have no cycles."""
    def reaches(room, goal, seen):
        return any(next_room == goal or
                   (next_room not in seen and reaches(next_room, goal, seen | {next_room}))
                   for next_room in LAW[room])
    return next((room for room in LAW if reaches(room, room, {room})), None)


def self_test():
    """Each small tree breaks one rule, which the complaint names."""
    cases = [
        ({"src/core/a.h": '#include "base/b.h"\n#include <stdio.h>\n', "src/base/b.h": ""}, None),
        ({"src/base/a.h": '#include "core/b.h"\n', "src/core/b.h": ""}, "base may not see"),
        ({"src/cli/a.c": '#include "tracer/b.h"\n', "src/tracer/b.h": ""}, "cli may not see"),
        ({"src/core/a.c": "#include <Python.h>\n"}, "Python's headers"),
        ({"src/core/a.c": '  #  include "internal/pycore_frame.h"\n'}, "Python's headers"),
        ({"src/pyext/a.c": "#include <Python.h>\n"}, None),
        ({"tests/unit/a_test.c": '#include "Python.h"\n'}, "Python's headers"),
        ({"tests/unit/a_test.c": '#include "help.h"\n', "tests/unit/help.h": ""}, None),
        ({"tests/unit/a_test.c": '#include "pyext/b.h"\n', "src/pyext/b.h": ""}, "may not see"),
        ({"src/core/a.c": '#include "ids.h"\n', "src/core/ids.h": ""}, "with its room"),
        ({"src/core/a.c": '#include "core/../core/ids.h"\n'}, "with its room"),
        ({"src/core/a.c": '#include "core/none.h"\n'}, "there is no"),
        ({"src/core/a.c": '#include "core/b.c"\n', "src/core/b.c": ""}, "is not included"),
        ({"src/core/a.c": '#include "core/b.inc.c"\n', "src/core/b.inc.c": ""}, None),
        ({"src/core/a.h": "", "src/base/a.h": ""}, "same name"),
        ({"src/cellar/a.h": ""}, "no room"),
        ({"src/a.h": ""}, "no room"),
    ]
    assert cycle() is None, f"{cycle()} sees itself through other rooms"
    for files, expected in cases:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            found = "\n".join(check_tree(root))
        right = expected in found if expected else found == ""
        assert right, f"{files}\n  expected: {expected}\n  found: {found or 'nothing'}"


def main():
    self_test()
    if sys.argv[1:] == ["--self-test"]:
        return 0
    complaints = list(check_tree(Path(__file__).resolve().parent.parent))
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
