# SPDX-License-Identifier: MIT
"""The columns of every table: what is on while a program runs.

A column is begun before the work and ended after it.  The end proves that the tracer was
really on: it must see a block of 64 MiB that is made on purpose, after the clock has been
read.  A run that fails this proof is an error, never a figure.
"""
import importlib
import inspect
import os
import sys
import tempfile

PROOF_BYTES = 64 << 20
SAMPLE_BYTES = 512 * 1024


class Unavailable(Exception):
    """This column cannot be had here; the text says why."""


class Untraced:
    """Nothing is on."""

    description = "nothing is on"

    def begin(self):
        pass

    def end(self):
        return {}

    def overhead_bytes(self):
        return 0


class Tracemalloc(Untraced):
    """The standard module, or another with its functions."""

    def __init__(self, nframe):
        import tracemalloc

        self.module = tracemalloc
        self.nframe = nframe
        self.description = f"the standard module, tracemalloc.start({nframe})"

    def begin(self):
        self.module.start(self.nframe)

    def end(self):
        before, peak = self.module.get_traced_memory()
        proof = bytes(PROOF_BYTES)
        seen = self.module.get_traced_memory()[0] - before
        del proof
        if not self.module.is_tracing() or seen < PROOF_BYTES // 2:
            raise AssertionError(f"not traced: {seen} of {PROOF_BYTES} bytes were seen")
        return {"traced_peak_bytes": peak}

    def overhead_bytes(self):
        return self.module.get_tracemalloc_memory()


class Memwhy(Tracemalloc):
    """memwhy, exact, with whole tracebacks."""

    description = "memwhy.start(): exact, whole tracebacks"

    def __init__(self):
        import memwhy

        self.module = memwhy

    def begin(self):
        self.module.start()

    def end(self):
        return super().end() | {"lost": sum(self.module.get_lost())}

    def overhead_bytes(self):
        return sum(self.module.get_overhead().values())


class Sampled(Memwhy):
    """memwhy, one sample in 512 KiB."""

    description = f"memwhy.start(sample={SAMPLE_BYTES})"

    def __init__(self):
        super().__init__()
        if "sample" not in inspect.signature(self.module.start).parameters:
            raise Unavailable("this memwhy does not sample")

    def begin(self):
        self.module.start(sample=SAMPLE_BYTES)

    def end(self):
        if self.module.get_sampling() != SAMPLE_BYTES:
            raise AssertionError(f"sampling is {self.module.get_sampling()}")
        return super().end()


class Memray(Untraced):
    """memray with Python's allocators traced, into a file that is thrown away."""

    description = "memray.Tracker(…, trace_python_allocators=True), into a file in memory"

    def __init__(self):
        try:
            import memray
        except ImportError as error:
            raise Unavailable(f"memray is not there: {error}") from None
        self.module = memray
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = tempfile.TemporaryDirectory(prefix="memwhy-bench-", dir=place)
        self.file = os.path.join(self.directory.name, "memray.bin")
        self.tracker = memray.Tracker(self.file, trace_python_allocators=True)

    def begin(self):
        self.tracker.__enter__()

    def end(self):
        self.tracker.__exit__(None, None, None)
        with self.module.FileReader(self.file) as reader:
            records = reader.metadata.total_allocations
        size = os.path.getsize(self.file)
        self.directory.cleanup()
        if records < 1:
            raise AssertionError("memray recorded nothing")
        return {"records": records, "file_bytes": size}


class Objects(Untraced):
    """memwhy, tracing nothing: it looks at the objects that there are."""

    description = "memwhy.heap(), why() and growth(), untraced"

    def __init__(self):
        import memwhy  # noqa: F401: build() tells which


class Peer(Untraced):
    """Another tool that looks at objects."""

    def __init__(self, name):
        self.description = name
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise Unavailable(f"{name} is not there: {error}") from None


MAKERS = {
    "untraced": Untraced,
    "exact": Memwhy,
    "other": Memwhy,     # the same, of another build: see run.py --other
    "lines": Memwhy,     # the same, built with line numbers, for counts of instructions
    "sampled": Sampled,
    "tracemalloc1": lambda: Tracemalloc(1),
    "tracemalloc25": lambda: Tracemalloc(25),
    "memray": Memray,
    "objects": Objects,
    "gc": lambda: Peer("gc"),
    "objgraph": lambda: Peer("objgraph"),
    "pympler": lambda: Peer("pympler"),
    "guppy3": lambda: Peer("guppy"),
}

OURS = ("exact", "other", "lines", "sampled", "objects")


def make(name):
    """The column [name], ready to begin; Unavailable when it cannot be had here."""
    return MAKERS[name]()


def build():
    """Which builds a column would measure in this process: path and version."""
    module = sys.modules.get("memwhy")
    if module is None:
        return None
    return {"path": module._memwhy.__file__, "version": module.__version__}
