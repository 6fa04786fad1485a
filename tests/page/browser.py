# SPDX-License-Identifier: MIT
"""A headless Chromium, driven through two pipes: its DevTools protocol needs no library.

What the browser asks of a network, and what the page's policy refuses, is kept: see
`Page.requests` and `Page.complaints`.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars",
           "--force-color-profile=srgb", "--remote-debugging-pipe"]
PATIENCE = 60   # seconds for any answer; what takes longer hangs


class Browser:
    """A process with a profile of its own."""

    def __init__(self, profile):
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def connect():  # the browser reads from 3 and writes to 4
            # Neither may be overwritten before it is copied.
            read, write = os.dup(to_browser), os.dup(from_browser)
            read, write = (os.dup(end) if end < 5 else end for end in (read, write))
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=connect, close_fds=False)
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._handlers = {}     # by session

    def close(self):
        os.close(self._write)   # it ends when nobody talks to it
        os.close(self._read)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def listen(self, session, handler):
        self._handlers[session] = handler

    def _receive(self, deadline):
        """The next message."""
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise EOFError("the browser has ended")
            self._buffer += data
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            if "method" in answer and answer.get("sessionId") in self._handlers:
                self._handlers[answer["sessionId"]](answer["method"], answer["params"])


class Page:
    """A window with a file in it."""

    def __init__(self, browser, path, width=1280, height=900, scheme="light"):
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        self._session = browser.call("Target.attachToTarget", targetId=target,
                                     flatten=True)["sessionId"]
        self.requests = []      # addresses, but for the file itself
        self.complaints = []    # errors, warnings and refusals by the policy
        self._url = f"file://{path}"
        browser.listen(self._session, self._hear)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=self._url)
        self.wait("document.documentElement?.dataset.ready")

    def close(self):
        self._browser.call("Target.closeTarget", targetId=self._target)

    def _hear(self, method, told):
        if method == "Network.requestWillBeSent" and told["request"]["url"] != self._url:
            self.requests.append(told["request"]["url"])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(told["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.complaints.append(str(told["args"]))
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))

    def call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)

    def ask(self, code):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True,
                           awaitPromise=True, allowUnsafeEvalBlockedByCSP=False)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{code}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, code):
        """Waits until the expression holds; returns its value."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.ask(code)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never true: {code}")
            time.sleep(0.01)
        return value

    def settle(self):
        """Waits until what was asked for has been drawn."""
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => "
                 "setTimeout(done, 0))))")

    def text(self, selector):
        return self.ask(f"document.querySelector({json.dumps(selector)})?.innerText")

    def click(self, selector):
        assert self.ask(f"(one => one && (one.click(), true))"
                        f"(document.querySelector({json.dumps(selector)}))"), selector
        self.settle()

    def mouse(self, x, y, modifiers=0, kind="click"):
        at = {"x": x, "y": y, "modifiers": modifiers}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **at)
        if kind == "click":
            for what in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=what, button="left", clickCount=1, **at)
        self.settle()

    def key(self, name, text="", modifiers=0):
        code = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                "ArrowDown": 40, "Tab": 9, "Home": 36}.get(name, ord(name[0].upper()))
        told = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        if name == "Enter":
            text = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text,
                  **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)
        self.settle()

    def type(self, selector, text):
        """Replaces what stands in an input."""
        self.ask(f"(one => {{ one.focus(); one.select(); }})"
                 f"(document.querySelector({json.dumps(selector)}))")
        self.call("Input.insertText", text=text)
        self.settle()

    def choose(self, selector, value):
        self.ask(f"(one => {{ one.value = {json.dumps(value)}; "
                 f"one.dispatchEvent(new Event('change', {{bubbles: true}})); }})"
                 f"(document.querySelector({json.dumps(selector)}))")
        self.settle()

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
