# SPDX-License-Identifier: MIT
"""Orders come as JSON, are checked, and booked."""
import json


class OrderError(ValueError):
    """An order that cannot be taken."""


class OrderDesk:
    def __init__(self, catalogue, updates):
        self._catalogue = catalogue
        self._updates = updates
        self.refused = []  # for the morning's look at what went wrong

    def accept(self, stream, length):
        try:
            order = json.loads(stream.read(length))
            lines = [self._check_line(line) for line in order["lines"]]
        except (OrderError, KeyError, ValueError) as error:
            self.refused.append(error)
            raise OrderError(f"bad order: {error}") from None
        number, stocks = self._catalogue.order(order["customer"], lines)
        self._updates.publish(stocks)
        return number

    def _check_line(self, line):
        if self._catalogue.book(line["book"]) is None:
            raise OrderError(f"there is no book {line['book']}")
        if not 1 <= line["count"] <= 100:
            raise OrderError(f"cannot order {line['count']} copies")
        return line["book"], line["count"]
