# SPDX-License-Identifier: MIT
"""A pool makes objects as long as more are wanted at once than ever before."""
import random

from rounds import rounds


class Pool:
    def __init__(self):
        self.free = []

    def take(self):
        if self.free:
            return self.free.pop()
        return bytearray(2000)  # verdict: levels off | one-time

    def give(self, thing):
        self.free.append(thing)


chance = random.Random(3)
pool = Pool()
for turn in rounds():
    for request in range(30):
        taken = [pool.take() for _ in range(chance.randrange(40))]
        for thing in taken:
            pool.give(thing)
        taken.clear()
