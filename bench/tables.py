# SPDX-License-Identifier: MIT
"""Tables in Markdown, aligned so that they read as well on a terminal."""


def table(heads, rows):
    """A table; columns after the first are figures, aligned to the right."""
    cells = [list(map(str, row)) for row in [heads, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]

    def line(row):
        first, *others = (text.ljust(width) if i == 0 else text.rjust(width)
                          for i, (text, width) in enumerate(zip(row, widths)))
        return "| " + " | ".join([first, *others]) + " |"

    rule = "|" + "|".join("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":"
                          for i, width in enumerate(widths)) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])]) + "\n"


def ratio(value):
    """1.23, 12.3 or 123: three digits are what our figures are worth."""
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def seconds(value):
    """A time with its unit: 1.23 s, 45.6 ms, 7.8 µs."""
    if value is None:
        return "–"
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{ratio(value * factor)} {unit}"
    return f"{value * 1e9:.0f} ns"
