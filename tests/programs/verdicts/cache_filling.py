# SPDX-License-Identifier: MIT
"""Keys that come again: the cache has no bound, but there are only so many keys."""
import random

from rounds import rounds

KEYS = 2000
chance = random.Random(1)
cache = {}

for turn in rounds():
    for number in range(60):
        key = chance.randrange(KEYS)
        if key not in cache:
            cache[key] = bytearray(500)  # verdict: cache still filling
