# SPDX-License-Identifier: MIT
"""Live stock updates: whoever looks at the shop is told what was sold."""
import threading
from collections import deque


class StockUpdates:
    BACKLOG = 500

    def __init__(self):
        self._recent = deque(maxlen=self.BACKLOG)
        self._mailboxes = {}
        self._lock = threading.Lock()

    def subscribe(self, client):
        """Open a mailbox that begins with the recent changes; returns them."""
        with self._lock:
            self._mailboxes[client] = deque(self._recent, maxlen=self.BACKLOG)
            return list(self._recent)

    def unsubscribe(self, client):
        with self._lock:
            self._mailboxes.pop(client, None)

    def publish(self, stocks):
        with self._lock:
            for change in stocks.items():
                self._recent.append(change)
                for mailbox in self._mailboxes.values():
                    mailbox.append(change)
