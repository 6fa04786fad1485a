# SPDX-License-Identifier: MIT
"""What the tests of `memwhy report` and `memwhy diff` share: captures of small programs."""
import json
import subprocess
import textwrap

from cli_run import MEMWHY, memwhy

SHOP = """
    import threading

    class Cache:
        def __init__(self):
            self.items = []

        def put(self, size):
            self.items.append(bytes(size))

    cache = Cache()
    kept = []

    def serve(count):
        for _ in range(count):
            cache.put(20_000)
            kept.append([None] * 1000)

    def churn():
        for _ in range(50):
            bytes(30_000)

    serve(10)
    churn()
    worker = threading.Thread(target=serve, args=(5,), name="worker")
    worker.start()
    worker.join()
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def capture(program, path, *options, **keywords):
    """Runs a program where it lies, and captures it into [path]."""
    keywords.setdefault("cwd", program.parent)
    result = memwhy("run", "-o", path, *options, program, **keywords)
    assert result.returncode == 0, result.stderr
    return path


def report(*arguments, **options):
    """The text of a report that must succeed."""
    result = memwhy("report", *arguments, **options)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def as_json(command, *arguments):
    result = memwhy(command, "--json", "-", *arguments)
    assert result.returncode in (0, 1), result.stderr
    return json.loads(result.stdout)


def bytes_of(size):
    """How a size is shown, backwards and about."""
    number, unit = size.split()
    return float(number) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]


def refused(command, *arguments, **options):
    """The one sentence with which a command refuses."""
    result = memwhy(command, *arguments, **options)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("memwhy: ") and result.stderr.endswith(".\n")
    assert result.stderr.count("\n") == 1
    return result.stderr


def start(*arguments):
    return subprocess.Popen([MEMWHY, *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
