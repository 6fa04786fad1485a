# SPDX-License-Identifier: MIT
"""A day of customers in a few seconds: a fixed number of requests over loopback.

    python load.py PORT [SECONDS]

What they ask is random, but the same in every run.  With SECONDS they take their time, and
leave when it is over.
"""
import http.client
import json
import random
import sys
import threading
import time

CUSTOMERS = 4
VISITS = 800  # per customer; each is a handful of requests


def visit(connection, chance, name, number):
    """Looks around, watches the stock for a while, orders; now and then something else."""
    def ask(method, url, body=None):
        connection.request(method, url, body)
        return connection.getresponse().read()

    tag = (f"utm_source=letter&utm_medium=email&utm_campaign=spring-{chance.randrange(100)}"
           f"&click={chance.getrandbits(256):064x}&visit={name}-{number}")
    subject = chance.choice(("", "Bread", "Maps", "Stars", "Clouds"))
    ask("GET", f"/books?subject={subject}&page={chance.randrange(12)}&{tag}")
    for step in range(3):
        ask("GET", f"/books/{chance.randrange(1, 400)}?{tag}&step={step}")
    if chance.random() < 0.7:
        ask("GET", f"/updates?client={name}-{number}")
    if chance.random() < 0.3:
        ask("POST", "/updates/leave", f"{name}-{number}")
    if chance.random() < 0.5:
        # A third of the orders name a book that is out of print.
        last = 999_999 if chance.random() < 0.33 else 7
        lines = [{"book": chance.randrange(1, 2000), "count": 1, "note": f"gift {number}.{i}"}
                 for i in range(60)] + [{"book": last, "count": 1}]
        ask("POST", "/orders", json.dumps({"customer": name, "lines": lines}))


def customer(port, name, seconds):
    chance = random.Random(name)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.monotonic()
    for number in range(VISITS):
        visit(connection, chance, name, number)
        spent = time.monotonic() - began
        if seconds and spent > seconds:
            break
        time.sleep(max(0, seconds * (number + 1) / VISITS - spent))
    connection.close()


def run(port, seconds=0):
    threads = [threading.Thread(target=customer, args=(port, f"customer-{number}", seconds))
               for number in range(CUSTOMERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    run(*map(int, sys.argv[1:]))
