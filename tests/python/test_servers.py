# SPDX-License-Identifier: MIT
"""Prefork servers under `memwhy run --follow-fork`: the master's capture and its workers', through
the signals that such servers are told to reload and to end by."""
import http.client
import importlib.util
import re
import signal
import socket
import subprocess
import textwrap
import time

import pytest

from cli_run import MEMWHY, needs_command, plain_environment  # noqa: F401
from processes import environment
from recorded import of_function, read

pytestmark = [
    needs_command,
    pytest.mark.skipif(importlib.util.find_spec("gunicorn") is None,
                       reason="gunicorn is not there: pip install gunicorn"),
]

PATIENCE = 60    # seconds until a server that does not answer is a failure

# Each request keeps one block of 100,000 bytes, and is answered with the worker's pid.
APPLICATION = """
    import os

    kept = []

    def grow():
        kept.append(bytes(100_000))

    def app(environ, start_response):
        grow()
        body = str(os.getpid()).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
"""


class _Connection(http.client.HTTPConnection):
    """To the socket that is called [path]."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self.path))


class Server:
    """gunicorn with two workers, recorded, in [directory]."""

    def __init__(self, directory):
        (directory / "shop.py").write_text(textwrap.dedent(APPLICATION))
        self.directory = directory
        self.log = directory / "log"
        self.answers = []    # pids, one for each request
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [MEMWHY, "run", "--follow-fork", "-o", directory / "x.memwhy", "-m", "gunicorn",
                 "--workers", "2", "--bind", f"unix:{directory}/socket", "shop:app"],
                cwd=directory, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self):
        connection = _Connection(self.directory / "socket")
        connection.request("GET", "/")
        self.answers.append(int(connection.getresponse().read()))
        connection.close()

    def booted(self):
        """The workers that have come up, in order."""
        return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)",
                                               self.log.read_text())]

    def exited(self):
        return [int(pid) for pid in re.findall(r"Worker exiting \(pid: (\d+)\)",
                                               self.log.read_text())]

    def wait_until(self, is_reached):
        end = time.monotonic() + PATIENCE
        while not is_reached():
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def end(self):
        """Its exit status."""
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.process.kill()
    server.process.wait()


def requests_kept(capture):
    return sum(of_function(capture["snapshots"][-1], "grow").values()) // 100_000


def test_gunicorn_is_recorded_through_a_reload_and_its_end(server, tmp_path):
    server.wait_until(lambda: len(server.booted()) == 2)
    for _ in range(6):
        server.ask()
    server.process.send_signal(signal.SIGHUP)
    server.wait_until(lambda: len(server.booted()) == 4 and len(server.exited()) == 2)
    for _ in range(6):
        server.ask()
    server.process.send_signal(signal.SIGTERM)
    assert server.end() == 0, server.log.read_text()

    workers = server.booted()
    assert len(set(workers)) == 4 and set(server.answers) <= set(workers)
    master = read(tmp_path / "x.memwhy")
    assert master["program"]["pid"] == server.process.pid
    assert master["exit_status"] == 0 and not master["is_truncated"]
    named = {pid: name for _, pid, name in master["children"]}
    assert named == {pid: f"x.{pid}.memwhy" for pid in workers}
    for pid in workers:
        capture = read(tmp_path / f"x.{pid}.memwhy")
        assert capture["program"]["pid"] == pid
        assert capture["program"]["parent_pid"] == server.process.pid
        assert capture["exit_status"] == 0 and not capture["is_truncated"]
        assert requests_kept(capture) == server.answers.count(pid)
    assert requests_kept(master) == 0
