# SPDX-License-Identifier: MIT
"""`memwhy diff`: what grew, also across edited files; limits for build servers; Markdown."""
import json
import re
import textwrap

import pytest

from cli_run import memwhy, needs_command, plain_environment  # noqa: F401
from reports import as_json, capture, refused, write

pytestmark = needs_command

# What load() makes takes no call, whose arguments' tuple CPython would keep for the next one, as
# if that line held it.
OLD = """
    class Cache:
        def __init__(self):
            self.items = []

        def put(self, size):
            self.items.append(bytes(size))

    cache = Cache()

    def serve(count):
        for _ in range(count):
            cache.put(10_000)

    def load():
        return [b"-" * 5_000 for _ in range(20)]

    serve(20)
    tables = load()
"""

# The same with lines above, a line within, another line gone, and more of one thing.
NEW = """
    '''A shop that sells things.'''
    import sys

    class Cache:
        '''What was asked for.'''

        def __init__(self):
            self.name = "cache"
            self.items = []

        def put(self, size):
            if size < 0:
                raise ValueError(size)
            self.items.append(bytes(size))

    cache = Cache()

    def serve(count):
        for _ in range(count):
            cache.put(10_000)

    def load():
        return [b"-" * 5_000 for _ in range(20)]

    serve(60)
    tables = load()
"""


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Captures of two versions of a program that lie in different directories."""
    directory = tmp_path_factory.mktemp("versions")
    old = write(directory / "app" / "shop" / "shop.py", OLD)
    new = write(directory / "srv" / "shop" / "shop.py", NEW)
    return (capture(old, directory / "old.memwhy"),
            capture(new, directory / "new.memwhy"))


def line_of(text, source):
    lines = text.splitlines()
    return next(number for number, line in enumerate(lines, 1) if source in line)


def changes(*arguments):
    """The rows by line of a difference in the program itself: line → change."""
    rows = as_json("diff", *arguments)["rows"]["line"]
    return {row["line"]: row["bytes_change"] for row in rows if row["file"].endswith("shop.py")}


def test_an_edit_is_no_growth(versions):
    new = textwrap.dedent(NEW)
    found = changes(*versions)
    # An object that grows shows once: 40 blocks of 10,000 bytes and a little for each.
    assert 400_000 <= found[line_of(new, "self.items.append")] <= 404_000
    assert found[line_of(new, 'b"-" * 5_000')] == 0
    assert found.get(line_of(new, "self.items = []"), 0) == 0
    assert max(abs(change) for line, change in found.items()
               if line != line_of(new, "self.items.append")) < 20_000


def test_without_a_change_there_is_no_growth(versions):
    text = memwhy("diff", versions[0], versions[0]).stdout
    assert text.startswith("As much is alive as before (")
    assert all(change == 0 for change in changes(versions[0], versions[0]).values())


def test_says_what_grew_in_a_sentence(versions):
    text = memwhy("diff", *versions).stdout
    sentence = text.partition("\n\n")[0].replace("\n", " ")
    assert re.match(r"\d+ KiB more is alive than before \(.*\), nearly all from "
                    r"shop\.py:15 in Cache\.put \(\+\d+ KiB\)\.", sentence), sentence
    assert "was line 7\n" in text
    for line in text.splitlines():
        assert len(line) <= 80 or "memwhy" in line


def test_backwards_it_shrinks(versions):
    text = memwhy("diff", versions[1], versions[0]).stdout
    assert " less is alive than before" in text.partition("\n\n")[0].replace("\n", " ")


def test_two_moments_of_one_capture(tmp_path):
    program = write(tmp_path / "grow.py", """
        from memwhy import _memwhy
        kept = []
        def grow():
            for turn in range(30):
                kept.append(b"-" * 5_000)
                if turn % 10 == 9:
                    _memwhy._record_now()
        grow()
        """)
    path = capture(program, tmp_path / "g.memwhy", "--every", "1h")
    found = as_json("diff", path, "--from", "start", "--to", "end")
    assert found["totals"]["bytes"] - found["totals"]["older_bytes"] > 50_000
    text = memwhy("diff", path, "--from", "0", "--to", "1").stdout
    assert "old: " in text and "(snapshot 0 of " in text.replace("\n", " ")
    assert as_json("diff", path, "--from", "0")["totals"] == found["totals"]


@pytest.mark.parametrize("limit, status", [
    ("10MiB", 0), ("100KiB", 1), ("1000%", 0), ("1%", 1), ("0", 1),
])
def test_a_limit(versions, limit, status):
    result = memwhy("diff", "--fail-above", limit, *versions)
    assert result.returncode == status
    if status == 0:
        assert result.stderr == ""
        return
    first, *lines = result.stderr.splitlines()
    assert re.match(r"memwhy: \d+ KiB more is alive than before, above the limit of ", first)
    assert any("shop.py:15 in Cache.put" in line for line in lines)


def test_one_line_above_the_limit_is_enough(tmp_path):
    body = "kept = bytes({})\nmore = bytes({})\n"
    old = capture(write(tmp_path / "p.py", body.format(900_000, 1000)), tmp_path / "old.memwhy")
    new = capture(write(tmp_path / "p.py", body.format(1000, 900_000)), tmp_path / "new.memwhy")
    result = memwhy("diff", "--fail-above", "500KiB", old, new)
    assert result.returncode == 1
    assert result.stderr.startswith("memwhy: one line or more grew above the limit of ")
    assert len(result.stderr.splitlines()) == 2 and "p.py:2" in result.stderr


def test_markdown(versions, tmp_path):
    text = memwhy("diff", "--markdown", "-", *versions).stdout
    lines = text.splitlines()
    assert lines[0].startswith("**") and lines[0].endswith("**")
    assert lines[2] == "| old | new | change | blocks | line |"
    assert all(line.count("|") - line.count("\\|") == 6 for line in lines[2:])
    assert "`shop.py:15 in Cache.put`" in text
    assert memwhy("diff", "--markdown", tmp_path / "d.md", *versions).stdout == ""
    assert (tmp_path / "d.md").read_text() == text


def test_formats_with_a_limit(versions, tmp_path):
    result = memwhy("diff", "--json", tmp_path / "d.json", "--fail-above", "1%", *versions)
    assert (result.returncode, result.stdout) == (1, "")
    found = json.loads((tmp_path / "d.json").read_text())
    grown = found["totals"]["bytes"] - found["totals"]["older_bytes"]
    assert found["verdict"].startswith(f"{grown / 1024:.0f} KiB more is alive than before (")


def test_a_call_tree(versions):
    text = memwhy("diff", "--tree", *versions).stdout
    head, _, tree = text.partition("    change       new  call tree\n")
    assert head.startswith(memwhy("diff", *versions).stdout.partition("\n\n")[0])
    first, *others = tree.splitlines()
    assert re.match(r" +\+\d+ KiB +\d+ KiB  shop\.py:\d+ in <module>$", first), tree
    assert "shop.py:15 in Cache.put" in tree and "in load" not in tree
    assert "call tree" not in memwhy("diff", "--tree", versions[0], versions[0]).stdout
    inverted = memwhy("diff", "--tree", "--invert", "--depth", 1, *versions).stdout
    first = inverted.partition("and its callers below\n")[2].splitlines()[0]
    assert first.endswith("shop.py:15 in Cache.put")


def test_parts_are_compared(versions):
    both = as_json("diff", *versions)["totals"]
    part = as_json("diff", "--only", "shop.py", *versions)["totals"]
    assert part["bytes"] <= both["bytes"] and part["older_bytes"] <= both["older_bytes"]
    nothing = memwhy("diff", "--only", "nothing*", *versions).stdout
    assert nothing.startswith("As much is alive as before (0 B).\n")


@pytest.mark.parametrize("arguments, expected", [
    ((), "diff wants two captures"),
    (("{old}",), "diff wants a second capture"),
    (("{old}", "{new}", "x"), 'diff has no use for "x"'),
    (("{old}", "{new}", "--from", "0"), "--from and --to are moments of one capture"),
    (("{old}", "--from", "7"), "--from 7: the capture's snapshots have the numbers 0 to 0"),
    (("{old}", "{new}", "--fail-above", "much"), "--fail-above takes a size"),
    (("{old}", "{new}", "--fail-above", "-5%"), "--fail-above takes a size"),
    (("{old}", "/dev/null"), ""),
    (("{old}", "{new}", "--invert"), "--invert goes with --tree"),
    (("{old}", "{new}", "--depth", "3"), "--depth goes with --tree"),
    (("{old}", "{new}", "--markdown", "/nowhere/x"), "No such file or directory"),
    (("{old}", "{new}", "--json", "{new}"), "would overwrite the capture"),
    (("{old}", "{new}", "--markdown", "{old}"), "--markdown would overwrite the capture"),
    (("{old}", "{new}", "--markdown", "x", "--json", "x"), "cannot both be written"),
    (("{old}", "{new}", "--markdown", "-", "--csv", "-"), "cannot both be written"),
])
def test_what_it_refuses(versions, arguments, expected):
    names = {"{old}": versions[0], "{new}": versions[1]}
    before = [path.read_bytes() for path in versions]
    assert expected in refused("diff", *(names.get(word, word) for word in arguments))
    assert [path.read_bytes() for path in versions] == before
