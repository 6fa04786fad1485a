# SPDX-License-Identifier: MIT
"""A list of things that were there before: only the list itself grows."""
from rounds import rounds

seen = []
thing = object()

for turn in rounds():
    for number in range(300):
        seen.append(thing)  # verdict: leak
