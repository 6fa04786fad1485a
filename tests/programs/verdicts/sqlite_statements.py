# SPDX-License-Identifier: MIT
"""Ever new SQL texts: sqlite3 keeps the latest hundred statements."""
import sqlite3

from rounds import rounds

connection = sqlite3.connect(":memory:", cached_statements=100)
connection.execute("CREATE TABLE numbers (number INTEGER)")

for turn in rounds():
    for number in range(40):
        sql = f"SELECT number FROM numbers WHERE number = {turn * 40 + number}"
        connection.execute(sql).fetchall()  # verdict: steady | levels off
