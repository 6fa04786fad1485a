# SPDX-License-Identifier: MIT
"""A cache of errors keeps their tracebacks, these the frames, and these what was being worked
on: python/mypy#4807, ipython/ipython#11572."""


class Directory:
    def __init__(self, path):
        self.entries = [f"{path}/{i}.pyi" for i in range(60)]


class FileCache:
    def __init__(self):
        self.sizes = {}
        self.errors = {}

    def size(self, path):
        if path in self.errors:
            raise self.errors[path]
        try:
            self.sizes[path] = look_up(path)
        except KeyError as error:
            self.errors[path] = error
            raise
        return self.sizes[path]


def look_up(path):
    listing = Directory(path)
    if path not in listing.entries:
        raise KeyError(path)
    return len(path)


files = FileCache()

for number in range(700):
    try:
        files.size(f"package{number}")
    except KeyError:
        pass

TRUTH = {
    "kind": "accumulates",
    "held at": "sys.modules['__main__'].files.errors",
    "kept": ("__main__.Directory", 700),
    "allocated by": "Directory.__init__",
}
