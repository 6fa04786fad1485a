# SPDX-License-Identifier: MIT
"""The books, in SQLite; a connection per thread."""
import sqlite3
import tempfile
import threading
import weakref
from pathlib import Path

SUBJECTS = ("Bread", "Bridges", "Clouds", "Clocks", "Gardens", "Maps", "Rivers", "Stars")
KINDS = ("A History of", "Letters on", "The Art of", "An Atlas of", "In Praise of")


class Catalogue:
    def __init__(self, size=2000):
        directory = tempfile.mkdtemp(prefix="bookshop-")
        self._path = Path(directory, "books.sqlite")
        self._cleanup = weakref.finalize(self, _remove, directory)
        self._local = threading.local()
        with self._connection() as connection:
            connection.execute("CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, "
                               "subject TEXT, price INTEGER, stock INTEGER)")
            connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, "
                               "total INTEGER)")
            connection.executemany("INSERT INTO books VALUES (?, ?, ?, ?, 1000)",
                                   (_book(number) for number in range(1, size + 1)))

    def _connection(self):
        if not hasattr(self._local, "connection"):
            self._local.connection = sqlite3.connect(self._path)
        return self._local.connection

    def find(self, subject, page, size=20):
        return self._connection().execute(
            "SELECT id, title, price, stock FROM books WHERE subject = ? OR ? = '' "
            "ORDER BY title LIMIT ? OFFSET ?", (subject, subject, size, page * size)).fetchall()

    def book(self, number):
        return self._connection().execute(
            "SELECT id, title, price, stock FROM books WHERE id = ?", (number,)).fetchone()

    def order(self, customer, lines):
        """Book the (book, count) lines; returns the order's number and what is left."""
        with self._connection() as connection:
            total, stocks = 0, {}
            for number, count in lines:
                price, left = connection.execute(
                    "UPDATE books SET stock = stock - ? WHERE id = ? RETURNING price, stock",
                    (count, number)).fetchone()
                total += price * count
                stocks[number] = left
            order = connection.execute("INSERT INTO orders (customer, total) VALUES (?, ?)",
                                       (customer, total)).lastrowid
        return order, stocks


def _book(number):
    subject = SUBJECTS[number % len(SUBJECTS)]
    title = f"{KINDS[number % len(KINDS)]} {subject}, volume {number}"
    return number, title, subject, 900 + number * 37 % 4000


def _remove(directory):
    for path in Path(directory).iterdir():
        path.unlink()
    Path(directory).rmdir()
