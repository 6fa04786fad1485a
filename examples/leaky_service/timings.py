# SPDX-License-Identifier: MIT
"""How long requests took, for /stats."""
import statistics
import threading


class Timings:
    def __init__(self):
        self._seconds = {}
        self._lock = threading.Lock()

    def add(self, host, path, seconds):
        with self._lock:
            self._seconds.setdefault(f"http://{host}{path}", []).append(seconds)

    def slowest(self, count):
        with self._lock:
            medians = {url: statistics.median(seconds) for url, seconds in self._seconds.items()}
        return sorted(medians.items(), key=lambda item: -item[1])[:count]
