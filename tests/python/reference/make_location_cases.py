# SPDX-License-Identifier: MIT
"""Writes tests/unit/location_cases.h: which line CPython gives to each offset of many
location tables.

    python3.11 tests/python/reference/make_location_cases.py > tests/unit/location_cases.h

The tables are those of real code, from several features of the language, and random ones
of every kind of entry; the lines are those of co_lines(), which for an offset inside the
table are PyCode_Addr2Line()'s.  Real tables are also compared with co_positions().
"""

import itertools
import random
import textwrap
import types

SOURCES = {
    "a call over several lines": """
        def f(a,
              b):
            return g(
                a,
                b,
                h(a)
                if b else
                k(),
            )(
                1)
        """,
    "loops and jumps back": """
        while a:
            for b in (
                    c
                    for c in d
                    if c):
                if b:
                    continue
                e = [x
                     for x in b
                     ]
            else:
                break
        """,
    "handlers, whose cleaning up has no line": """
        def f():
            try:
                with a as b, \\
                        c:
                    d
            except ValueError as error:
                raise TypeError from error
            except (A,
                    B):
                pass
            finally:
                e
        """,
    "exception groups": """
        try:
            a
        except* ValueError as b:
            c
        """,
    "generators and coroutines": """
        async def f():
            async with a as b:
                async for c in b:
                    yield await c
        def g():
            yield from (
                h())
        """,
    "classes, decorators, defaults": """
        @a(
            1)
        @b
        class C(D,
                metaclass=E):
            \"\"\"a

            docstring\"\"\"
            x: int = 1

            @property
            def y(self, z=lambda:
                  0): return lambda: (
                      z)
        """,
    "match": """
        match a:
            case [b,
                  *c] if d:
                e
            case {"k": C(x=1,
                         y=2)}:
                f
            case _:
                pass
        """,
    "one line": "a = [b(c) for c in d if e(c)] or {f: g for f in h}; i = lambda j: k(j) + k(-j)",
    "calls in calls": "a = " + "".join(f"b.c(d,\n{' ' * i}" for i in range(30)) + "0" + ")" * 30,
    "strings over lines": 'a = f"""{b\n}\n\n{c}"""; d = """\n\n\n"""; e()',
    "nothing": "",
    "far apart": "a\n" + "\n" * 40000 + "b(\n" + "\n" * 70000 + "c)\nd",
    "a statement that begins late": "\n" * 33000 + "def f(\n  a=1):\n  return (\n\n a)",
    "wide columns": "a = " + " " * 200 + "b(" + "c" * 300 + ",\n" + " " * 130 + "d)",
}

RANDOM_TABLES = 150
FIRST_LINES = [1, 0, 5, 1000, 40000, 2**31 - 40000]
SHORT, ONE_LINE, NO_COLUMNS, LONG = range(0, 10), range(10, 13), 13, 14


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from code_objects(constant)


def varint(value):
    parts = bytearray()
    while value >= 64:
        parts.append(64 | value & 63)
        value >>= 6
    parts.append(value)
    return bytes(parts)


def signed_varint(value):
    return varint(value << 1 if value >= 0 else (-value << 1) | 1)


def random_entry(rng):
    """The bytes of an entry, and how far it moves the line."""
    kind = rng.randint(0, 15)
    first = bytes([0x80 | kind << 3 | rng.randint(0, 7)])
    delta = rng.choice([0, 1, -1, 2, 31, -32, 33, 2000, -2000, 100000, -99999])
    if kind in SHORT:
        return first + bytes([rng.randint(0, 127)]), 0
    if kind in ONE_LINE:
        return first + bytes([rng.randint(0, 127), rng.randint(0, 127)]), kind - ONE_LINE[0]
    if kind == NO_COLUMNS:
        return first + signed_varint(delta), delta
    if kind == LONG:
        rest = [rng.choice([0, 1, 100, 5000]) for _ in range(3)]
        return first + signed_varint(delta) + b"".join(map(varint, rest)), delta
    return first, 0


def random_code(rng, template):
    """Lines stay positive: co_lines() has no number for others."""
    while True:
        entries = [random_entry(rng) for _ in range(rng.randint(1, 40))]
        first_line = rng.choice(FIRST_LINES)
        lines = itertools.accumulate((delta for _, delta in entries), initial=first_line)
        if all(0 <= line < 2**31 for line in lines):
            table = b"".join(entry for entry, _ in entries)
            return template.replace(co_linetable=table, co_firstlineno=first_line)


def check_positions(code):
    by_lines = {}
    for begin, end, line in code.co_lines():
        for offset in range(begin, end, 2):
            by_lines[offset] = line
    for index, position in enumerate(code.co_positions()):
        assert by_lines[2 * index] == position[0], (code, index)


def runs_of(code):
    """(end of the run, line) with neighbours of one line joined."""
    runs = []
    for _, end, line in code.co_lines():
        line = -1 if line is None else line
        if runs and runs[-1][1] == line:
            runs[-1] = (end, line)
        else:
            runs.append((end, line))
    return runs


def wrapped(items):
    return textwrap.fill(", ".join(items), 96, initial_indent="    ", subsequent_indent="    ")


HEAD = """\
/* SPDX-License-Identifier: MIT
 *
 * Which line CPython gives to each offset of many location tables.  Written by
 * tests/python/reference/make_location_cases.py.
 */
#pragma once

#include <stdint.h>

/* A table is a stretch of location_bytes; its lines are a stretch of location_runs. */
typedef struct location_case {
    uint32_t table, length;
    int32_t first_line;
    uint32_t run, run_count;
} location_case;

/* From the end of the run before to this one's; line -1 where there is none. */
typedef struct location_run {
    int32_t end_bytes;
    int32_t line;
} location_run;
"""


def main():
    rng = random.Random(1)
    codes = []
    for name, source in SOURCES.items():
        real = list(code_objects(compile(textwrap.dedent(source), name, "exec")))
        for code in real:
            check_positions(code)
        codes += real
    codes += [code.replace(co_firstlineno=100000) for code in codes[:8]]
    codes += [random_code(rng, codes[0]) for _ in range(RANDOM_TABLES)]

    table = run = 0
    cases, tables, runs = [], [], []
    for code in dict.fromkeys((c.co_linetable, c.co_firstlineno, tuple(runs_of(c))) for c in codes):
        linetable, first_line, its_runs = code
        cases.append("{%d, %d, %d, %d, %d}" % (table, len(linetable), first_line, run, len(its_runs)))
        tables += [str(byte) for byte in linetable]
        runs += ["{%d, %d}" % pair for pair in its_runs]
        table += len(linetable)
        run += len(its_runs)
    print(HEAD)
    print("/* clang-format off */")
    for declaration, items in (
        ("unsigned char location_bytes[]", tables),
        ("location_run location_runs[]", runs),
        ("location_case location_cases[]", cases),
    ):
        print("static const %s = {\n%s,\n};\n" % (declaration, wrapped(items)))
    print("/* clang-format on */")


if __name__ == "__main__":
    main()
