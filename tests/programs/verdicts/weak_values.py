# SPDX-License-Identifier: MIT
"""Values that nobody else holds go by themselves."""
import collections
import weakref

from rounds import rounds


class Session:
    def __init__(self, number):
        self.text = f"session {number} " * 20  # verdict: steady


sessions = weakref.WeakValueDictionary()
recent = collections.deque(maxlen=100)

for turn in rounds():
    for number in range(turn * 50, turn * 50 + 50):
        session = Session(number)  # verdict: steady
        sessions[number] = session
        recent.append(session)
