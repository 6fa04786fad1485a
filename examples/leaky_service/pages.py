# SPDX-License-Identifier: MIT
"""HTML from templates, the latest pages cached."""
import threading
from collections import OrderedDict
from html import escape
from string import Template

PAGE = Template("""<!doctype html>
<title>$title</title>
<h1>$title</h1>
<table>
<tr><th>Book<th>Price<th>In stock
$rows
</table>
""")
ROW = Template('<tr><td><a href="/books/$id">$title</a><td>$price<td>$stock')


class Pages:
    CACHED = 100

    def __init__(self, catalogue):
        self._catalogue = catalogue
        self._cache = OrderedDict()
        self._lock = threading.Lock()

    def listing(self, query):
        subject = query.get("subject", "")
        page = int(query.get("page", 0))
        return self._cached((subject, page), lambda: self._render_listing(subject, page))

    def book(self, number):
        if not number.isdecimal():
            return None
        book = self._catalogue.book(int(number))
        return book and self._cached(int(number), lambda: _render(book[1], [book]))

    def _render_listing(self, subject, page):
        return _render(subject or "All books", self._catalogue.find(subject, page))

    def _cached(self, key, render):
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        text = render()
        with self._lock:
            self._cache[key] = text
            while len(self._cache) > self.CACHED:
                self._cache.popitem(last=False)
        return text


def _render(title, books):
    rows = "\n".join(
        ROW.substitute(id=number, title=escape(name), price=f"{price / 100:.2f}", stock=stock)
        for number, name, price, stock in books)
    return PAGE.substitute(title=escape(title), rows=rows)
