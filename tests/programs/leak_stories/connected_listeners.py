# SPDX-License-Identifier: MIT
"""Who listens is kept by whom he listens to, for as long as nobody disconnects:
flexxui/flexx#202, Tribler/tribler#5949."""
import collections


class Signal:
    def __init__(self):
        self.receivers = collections.defaultdict(list)

    def connect(self, sender, receiver):
        self.receivers[sender].append(receiver)

    def send(self, sender, value):
        for receiver in self.receivers[sender]:
            receiver(value)


class Page:
    def __init__(self, number):
        self.rows = [[number, f"download {number}/{row}"] for row in range(20)]
        theme_changed.connect("settings", self.on_theme)
        theme_changed.connect("settings", lambda theme: self.on_theme(theme.lower()))

    def on_theme(self, theme):
        self.theme = theme


theme_changed = Signal()

for visit in range(600):
    Page(visit)
theme_changed.send("settings", "dark")

TRUTH = {
    "kind": "accumulates",
    "held at": "sys.modules['__main__'].theme_changed.receivers['settings']",
    "kept": ("__main__.Page", 600),
    "allocated by": "Page.__init__",
}
