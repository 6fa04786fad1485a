# SPDX-License-Identifier: MIT
"""functools.cache on a method keeps every instance that it was called on, since self is part
of the key: python/cpython#102618, getsentry/seer#2512."""
import functools


class Repository:
    def __init__(self, number):
        self.name = f"project-{number}"
        self.files = {f"src/{i}.py": f"{number} {i} " * 20 for i in range(10)}

    @functools.cache
    def files_below(self, directory):
        return [name for name in self.files if name.startswith(directory)]


def handle(number):
    return len(Repository(number).files_below("src"))


for request in range(800):
    handle(request)

TRUTH = {
    "kind": "accumulates",
    "held at": "sys.modules['__main__'].Repository.files_below (in C)",
    "kept": ("__main__.Repository", 800),
    "allocated by": "Repository.__init__",
}
