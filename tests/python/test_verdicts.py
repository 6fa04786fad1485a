# SPDX-License-Identifier: MIT
"""`memwhy leaks`: against programs whose truth stands beside their lines
(tests/programs/verdicts), against the example, and with bad input."""
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli_run import MEMWHY, memwhy, needs_command, plain_environment  # noqa: F401

pytestmark = needs_command

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "programs" / "verdicts"
BOOKSHOP = ROOT / "examples" / "leaky_service"
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py") if path.stem != "rounds")
sys.path.insert(0, str(BOOKSHOP))
from truth import planted_lines  # noqa: E402

TRUTH = re.compile(r"# verdict: (.+)$")


def truths(program):
    """{line: the verdicts that are right}"""
    lines = enumerate(program.read_text().splitlines(), 1)
    found = {number: TRUTH.search(line) for number, line in lines}
    return {number: set(match[1].split(" | ")) for number, match in found.items() if match}


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """Captures of programs, each recorded once."""
    directory = tmp_path_factory.mktemp("captures")

    def capture(name, *options):
        path = directory / f"{name}.memwhy"
        if not path.exists():
            result = memwhy("run", "-o", path, *options, PROGRAMS / f"{name}.py")
            assert result.returncode == 0, result.stderr
        return path
    return capture


def verdicts(capture, *options):
    result = memwhy("leaks", capture, "--json", "-", "--top", 100000, *options)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


# ── programs with their truth ─────────────────────────────────────────────────────────

@pytest.mark.parametrize("name", NAMES)
def test_verdict_is_the_truth(captures, name):
    program = PROGRAMS / f"{name}.py"
    expected = truths(program)
    found = verdicts(captures(name))
    rows = {row["line"]["line"]: row["verdict"] for row in found["rows"]
            if row["line"]["file"] == str(program) and row["live_bytes"]}
    accused = [row["line"] for row in found["rows"] if row["verdict"] == "leak"]

    assert found["enough"]
    for line, right in expected.items():
        # A small part of a leak is not accused by itself.
        also = {"grows along"} if "leak" in right and accused else set()
        assert rows[line] in right | also, f"line {line}"
    for line in accused:
        assert line["file"] == str(program) and "leak" in expected.get(line["line"], ()), line
    assert any(right == {"leak"} for right in expected.values()) == bool(accused)


# ── the example ───────────────────────────────────────────────────────────────────────

def test_the_bookshop_has_exactly_three_leaks(tmp_path):
    capture = tmp_path / "bookshop.memwhy"
    result = memwhy("run", "-o", capture, ROOT / "tests" / "programs" / "bookshop_rounds.py")
    assert result.returncode == 0, result.stderr
    accused = {(Path(row["line"]["file"]).name, row["line"]["line"])
               for row in verdicts(capture)["rows"] if row["verdict"] == "leak"}
    assert accused == planted_lines()


@pytest.mark.slow("two minutes of customers")
def test_the_bookshop_has_exactly_three_leaks_in_two_minutes():
    result = subprocess.run([sys.executable, BOOKSHOP / "watch", MEMWHY, "120"],
                            capture_output=True, text=True, timeout=600)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout


# ── the command ───────────────────────────────────────────────────────────────────────

def test_first_line_says_who_leaks(captures):
    result = memwhy("leaks", captures("growing_log"))
    sentence = " ".join(result.stdout.partition("\n\n")[0].split())
    assert result.returncode == 0
    assert re.match(r"memwhy: \S*growing_log\.py:9 in write leaks .+ per hour", sentence)
    assert "At this rate the process" in sentence
    assert 'log.append(f"{len(log)}: {text}")' in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\033" not in result.stdout


def test_without_leaks_it_says_so(captures):
    result = memwhy("leaks", captures("ring"))
    assert result.stdout.startswith("memwhy: Nothing leaks, as far as ")


def test_only_with_fail_leaks_make_it_fail(captures):
    assert memwhy("leaks", captures("growing_log")).returncode == 0
    assert memwhy("leaks", "--fail", captures("growing_log")).returncode == 1
    assert memwhy("leaks", "--fail", captures("ring")).returncode == 0


@pytest.mark.parametrize("key", ["line", "file", "function", "module", "traceback", "region"])
def test_every_key_finds_the_leak(captures, key):
    found = verdicts(captures("growing_log"), "--by", key)
    accused = [row["line"]["line"] for row in found["rows"] if row["verdict"] == "leak"]
    assert accused == [9]
    assert memwhy("leaks", captures("growing_log"), "--by", key).returncode == 0


def test_patterns_choose_files(captures):
    assert verdicts(captures("growing_log"), "--only", "*growing_log.py")["leaks"] == 1
    assert verdicts(captures("growing_log"), "--exclude", "*growing_log.py")["leaks"] == 0
    assert verdicts(captures("growing_log"), "--only", "elsewhere/*")["rows"] == []


def test_json_goes_to_a_file(captures, tmp_path):
    target = tmp_path / "leaks.json"
    result = memwhy("leaks", captures("growing_log"), "--json", target)
    assert (result.returncode, result.stdout) == (0, "")
    assert json.loads(target.read_text())["leaks"] == 1


def test_few_snapshots_are_not_enough(tmp_path):
    capture = tmp_path / "x.memwhy"
    assert memwhy("run", "-o", capture, "-c", "print()").returncode == 0
    result = memwhy("leaks", capture)
    assert result.returncode == 0
    assert result.stdout.startswith("memwhy: There is not enough data to tell leaks from caches: ")
    assert not verdicts(capture)["enough"]


@pytest.mark.parametrize("arguments, sentence", [
    ([], 'memwhy: leaks wants a capture; see "memwhy help leaks".'),
    (["--by", "colour", "x"], "--by takes line, file, function, module, traceback or region"),
    (["--top", "0", "x"], "--top takes a whole number from 1 to 100000"),
    (["--since", "soon", "x"], "--since takes a duration"),
    (["--nonsense", "x"], "--nonsense"),
    (["/nowhere/x.memwhy"], "/nowhere/x.memwhy"),
])
def test_wrong_usage_is_one_sentence(arguments, sentence):
    result = memwhy("leaks", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert result.stderr.startswith("memwhy: ") and result.stderr.count("\n") == 1


def test_the_capture_is_not_written_over(captures, tmp_path):
    capture = captures("growing_log")
    before = capture.read_bytes()
    link = tmp_path / "link.memwhy"
    link.symlink_to(capture)
    for target in (capture, link):
        result = memwhy("leaks", capture, "--json", target)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == f'memwhy: --json would overwrite the capture "{target}".\n'
    assert capture.read_bytes() == before


def test_what_begins_behind_the_end_is_no_success(captures):
    result = memwhy("leaks", "--fail", "--since", "10h", captures("growing_log"))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("memwhy: --since 10h00m: the series ends at ")


def test_damaged_captures_are_one_sentence(captures, tmp_path):
    whole = captures("growing_log").read_bytes()
    path = tmp_path / "damaged.memwhy"
    for data in (b"", b"not a capture", whole[:20], whole[:8] + b"\xff" * 50 + whole[58:]):
        path.write_bytes(data)
        result = memwhy("leaks", path)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("memwhy: ") and result.stderr.count("\n") == 1


def test_a_capture_that_breaks_off_is_judged_up_to_there(captures, tmp_path):
    path = tmp_path / "cut.memwhy"
    shutil.copy(captures("growing_log"), path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 3 // 4)
    assert verdicts(path)["leaks"] == 1
