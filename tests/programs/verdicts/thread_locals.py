# SPDX-License-Identifier: MIT
"""Threads come and die, and what they kept for themselves dies with them."""
import threading

from rounds import rounds

local = threading.local()


def work(ready, leave):
    local.buffer = bytearray(20_000)  # verdict: steady
    ready.wait()
    leave.wait()


leave = threading.Event()
threads = []
for turn in rounds():
    leave.set()
    for thread in threads:
        thread.join()
    leave = threading.Event()
    ready = threading.Barrier(6)
    threads = [threading.Thread(target=work, args=(ready, leave)) for number in range(5)]
    for thread in threads:
        thread.start()
    ready.wait()
leave.set()
