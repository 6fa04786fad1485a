# SPDX-License-Identifier: MIT
"""Part "sources": what memwhy keeps for each distinct source that a program compiles and
drops, and for the same one again.
"""
SOURCES = 20_000


def kept_after(column, names, count):
    before = column.overhead_bytes()
    for name in names:
        exec(compile("kept = [0] * 7", name, "exec"), {})
    return (column.overhead_bytes() - before) / count


def measure(column, count):
    column.begin()
    found = {"distinct": kept_after(column, (f"<template {n}>" for n in range(count)), count),
             "same": kept_after(column, ("<template>" for _ in range(count)), count)}
    return found | column.end()


def run(runner, options):
    if "exact" not in options.columns:
        return {}
    count = max(10, int(SOURCES * options.scale))
    answer = runner.run("sources", "exact", {"count": count})
    return {"count": count} | {key: round(answer[key], 1) for key in ("distinct", "same")}


def show(result):
    if not result:
        return ""
    return (f"Kept for each of {result['count']:,} distinct sources that are compiled and dropped: "
            f"{result['distinct']:.0f} B; for each time that the same one is: "
            f"{result['same']:.1f} B.\n")
