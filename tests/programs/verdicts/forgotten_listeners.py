# SPDX-License-Identifier: MIT
"""Listeners subscribe; a third of them forgets to unsubscribe."""
from rounds import rounds


class Bell:
    def __init__(self):
        self.listeners = {}

    def subscribe(self, name, listener):
        self.listeners[name] = listener  # verdict: leak

    def unsubscribe(self, name):
        self.listeners.pop(name, None)


class Client:
    def __init__(self, bell, number):
        self.number = number
        bell.subscribe(number, self.ring)  # verdict: leak

    def ring(self):
        return self.number


bell = Bell()
for turn in rounds():
    for number in range(turn * 90, turn * 90 + 90):  # verdict: leak
        Client(bell, number)  # verdict: leak
        if number % 3 != 0:
            bell.unsubscribe(number)
