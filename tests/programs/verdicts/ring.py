# SPDX-License-Identifier: MIT
"""Only the latest entries are kept."""
import collections

from rounds import rounds

latest = collections.deque(maxlen=400)

for turn in rounds():
    for number in range(70):
        latest.append(f"entry {turn}.{number}")  # verdict: steady | levels off
