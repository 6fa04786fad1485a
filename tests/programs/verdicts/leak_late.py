# SPDX-License-Identifier: MIT
"""A leak that begins only after a third of the time."""
from rounds import rounds

orders = []

for turn in rounds():
    for number in range(50):
        order = {"number": number, "note": f"order {number}"}  # verdict: leak
        if turn >= 20 and number % 5 == 0:
            orders.append(order)  # verdict: leak | steady | levels off | not enough data
