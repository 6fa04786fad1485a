# SPDX-License-Identifier: MIT
"""A small bookshop over HTTP: a catalogue, orders, and live stock updates.

    python service.py [--port N]

It works, it is fast enough, and its memory grows for ever: see README.md.
"""
import argparse
import json
import logging
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from catalogue import Catalogue
from orders import OrderDesk, OrderError
from pages import Pages
from timings import Timings
from updates import StockUpdates

log = logging.getLogger("bookshop")


class Shop(ThreadingHTTPServer):
    """The server, and what its requests share."""

    daemon_threads = True

    def __init__(self, address):
        super().__init__(address, Handler)
        self.catalogue = Catalogue()
        self.pages = Pages(self.catalogue)
        self.timings = Timings()
        self.updates = StockUpdates()
        self.orders = OrderDesk(self.catalogue, self.updates)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        started = time.perf_counter()
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/books":
            self.reply(200, "text/html", self.server.pages.listing(query))
        elif url.path.startswith("/books/"):
            self.show_book(url.path.removeprefix("/books/"))
        elif url.path == "/updates":
            self.reply_json(200, self.server.updates.subscribe(query.get("client", "")))
        elif url.path == "/stats":
            self.reply_json(200, self.server.timings.slowest(10))
        else:
            self.reply_json(404, {"error": "no such page"})
        self.server.timings.add(self.headers["Host"], self.path, time.perf_counter() - started)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if self.path == "/orders":
            self.take_order(length)
        elif self.path == "/updates/leave":
            self.server.updates.unsubscribe(self.rfile.read(length).decode())
            self.reply_json(200, {})
        else:
            self.rfile.read(length)
            self.reply_json(404, {"error": "no such page"})

    def show_book(self, number):
        page = self.server.pages.book(number)
        if page is None:
            self.reply_json(404, {"error": "no such book"})
        else:
            self.reply(200, "text/html", page)

    def take_order(self, length):
        try:
            number = self.server.orders.accept(self.rfile, length)
        except OrderError as error:
            log.info("order refused: %s", error)
            self.reply_json(422, {"error": str(error)})
        else:
            self.reply_json(201, {"order": number})

    def reply_json(self, status, value):
        self.reply(status, "application/json", json.dumps(value))

    def reply(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        log.info("%s %s", self.address_string(), format % args)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--verbose", action="store_true", help="log every request")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING)

    with Shop(("127.0.0.1", options.port)) as shop:
        print(f"bookshop on http://127.0.0.1:{shop.server_port}", flush=True)
        try:
            shop.serve_forever()
        except KeyboardInterrupt:
            print("bookshop closes", flush=True)


if __name__ == "__main__":
    main()
