# SPDX-License-Identifier: MIT
"""Names are interned in a dict of ours; there are 300 names, met sooner or later."""
import random

from rounds import rounds

chance = random.Random(2)
names = {}

for turn in rounds():
    for number in range(80):
        name = "customer-" + str(chance.randrange(300))
        names.setdefault(name, name * 3)  # verdict: levels off | cache still filling | one-time
