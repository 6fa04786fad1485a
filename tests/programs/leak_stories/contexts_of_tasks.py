# SPDX-License-Identifier: MIT
"""A timer's handle has a copy of the context in which it was asked for, and with it what a
task that is long done had put there: aiidateam/aiida-core#4698, lexiforest/curl_cffi#164."""
import asyncio
import contextvars

current_process = contextvars.ContextVar("current_process")


class Process:
    def __init__(self, number):
        self.inputs = {f"input {i}": str(number * i) * 8 for i in range(20)}


class Transport:
    """Keeps the handles of its timers, so that it could cancel them."""

    def __init__(self):
        self.timers = set()

    def close_later(self):
        timer = asyncio.get_running_loop().call_later(0, int)
        self.timers.add(timer)


transport = Transport()


async def run(number):
    current_process.set(Process(number))
    transport.close_later()


async def main():
    for number in range(700):
        await asyncio.create_task(run(number))
    await asyncio.sleep(0.01)


asyncio.run(main())

TRUTH = {
    "kind": "accumulates",
    "held at": "sys.modules['__main__'].transport.timers",
    "kept": ("__main__.Process", 700),
    "allocated by": "Process.__init__",
}
