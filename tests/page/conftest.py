# SPDX-License-Identifier: MIT
"""One browser for all tests, and pages of made-up processes that `make_page` writes."""
import os
import subprocess

import pytest

from browser import CHROMIUM, Browser, Page

MAKE_PAGE = os.environ.get("MEMWHY_MAKE_PAGE", "")


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("there is no chromium here")
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    """Writes the page of one kind, once, and returns its path."""
    directory = tmp_path_factory.mktemp("pages")

    def write(kind):
        path = directory / f"{kind}.html"
        if not path.exists():
            done = subprocess.run([MAKE_PAGE, kind], capture_output=True, timeout=60)
            if b"node was missing" in done.stderr:
                pytest.skip("memwhy was built without a page: node was missing")
            assert done.returncode == 0, done.stderr
            path.write_bytes(done.stdout)
        return path
    return write


@pytest.fixture
def open_page(browser, page_file):
    """Opens the page of one kind; in the end nothing was asked of a network, and the page's
    policy refused nothing."""
    opened = []

    def close():
        for page in opened:
            page.settle()
            assert page.requests == []
            assert page.complaints == []
            page.close()
        opened.clear()

    def open_it(kind, **options):
        close()     # a window that lies behind another does not draw
        opened.append(Page(browser, page_file(kind), **options))
        opened[-1].settle()
        return opened[-1]
    yield open_it
    close()
