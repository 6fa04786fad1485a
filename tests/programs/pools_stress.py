# SPDX-License-Identifier: MIT
"""Blocks of all of pymalloc's classes, allocated, resized and freed at random while tracing
starts and stops; every byte is checked, and pymalloc's own account at the end.

    pools_stress.py [SEED [STEPS [SAMPLE]]]

Prints "ok" and how many blocks were allocated.  With SAMPLE, blocks are sampled at that mean
distance in bytes.
"""
import ctypes
import gc
import random
import sys

import memwhy

api = ctypes.pythonapi
for name in ("PyObject_Malloc", "PyMem_Malloc"):
    getattr(api, name).restype = ctypes.c_void_p
    getattr(api, name).argtypes = [ctypes.c_size_t]
for name in ("PyObject_Calloc", "PyMem_Calloc"):
    getattr(api, name).restype = ctypes.c_void_p
    getattr(api, name).argtypes = [ctypes.c_size_t, ctypes.c_size_t]
for name in ("PyObject_Realloc", "PyMem_Realloc"):
    getattr(api, name).restype = ctypes.c_void_p
    getattr(api, name).argtypes = [ctypes.c_void_p, ctypes.c_size_t]
for name in ("PyObject_Free", "PyMem_Free"):
    getattr(api, name).restype = None
    getattr(api, name).argtypes = [ctypes.c_void_p]

DOMAINS = ("PyObject", "PyMem")


def call(domain, name, *arguments):
    return getattr(api, f"{domain}_{name}")(*arguments)


class Heap:
    """The blocks that we hold: address → (domain, size, byte that fills it)."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.blocks = {}
        self.allocated = 0
        # Mostly one size at a time, so that pools fill up, run empty and change their class.
        self.favourite = 64

    def size(self):
        if self.random.random() < 0.8:
            return self.favourite
        return self.random.choice((0, 1, 8, 15, 16, 17, 100, 500, 511, 512, 513, 600, 5000))

    def fill(self, address, domain, size):
        assert address and address not in self.blocks, "a block was handed out twice"
        assert address % 16 == 0
        byte = self.random.randrange(1, 256)
        ctypes.memset(address, byte, size)
        self.blocks[address] = domain, size, byte
        self.allocated += 1

    def check(self, address, size, byte):
        found = ctypes.string_at(address, size)
        assert found == bytes([byte]) * size, "somebody else has written into a block"

    def take(self):
        address = self.random.choice(list(self.blocks))
        domain, size, byte = self.blocks.pop(address)
        self.check(address, size, byte)
        return address, domain, size, byte

    def allocate(self):
        domain, size = self.random.choice(DOMAINS), self.size()
        self.fill(call(domain, "Malloc", size), domain, size)

    def allocate_zeros(self):
        domain, size = self.random.choice(DOMAINS), self.size()
        address = call(domain, "Calloc", 1, size)
        self.check(address, size, 0)
        self.fill(address, domain, size)

    def resize(self):
        address, domain, size, byte = self.take()
        new_size = max(1, self.size() + self.random.randrange(-20, 20))
        moved = call(domain, "Realloc", address, new_size)
        self.check(moved, min(size, new_size), byte)
        self.fill(moved, domain, new_size)

    def free(self):
        address, domain, _, _ = self.take()
        call(domain, "Free", address)

    def free_everything(self):
        for address, (domain, size, byte) in self.blocks.items():
            self.check(address, size, byte)
            call(domain, "Free", address)
        self.blocks.clear()


def step(heap, options):
    chance = heap.random.random()
    if chance < 0.002:
        heap.favourite = heap.random.randrange(1, 520)
    if chance < 0.001:
        assert memwhy._memwhy._check_tallies()
        memwhy.stop() if memwhy.is_tracing() else memwhy.start(**options)
    elif chance < 0.0015:
        heap.free_everything()
    elif chance < 0.5 or not heap.blocks:
        heap.allocate()
    elif chance < 0.6:
        heap.allocate_zeros()
    elif chance < 0.75:
        heap.resize()
    else:
        heap.free()


def run_round(seed, steps, options):
    heap = Heap(seed)
    for _ in range(steps):
        step(heap, options)
    heap.free_everything()
    assert memwhy._memwhy._check_tallies()
    memwhy.stop()
    gc.collect()
    return heap.allocated


def main(seed="0", steps="20000", sample=None):
    options = {"sample": int(sample)} if sample else {}
    # The first round also fills the interpreter's own caches.
    run_round(int(seed), int(steps), options)
    before = sys.getallocatedblocks()
    allocated = run_round(int(seed), int(steps), options)
    after = sys.getallocatedblocks()
    # What is left is the interpreter's own, and does not grow with the steps.
    assert abs(after - before) < 500, f"{before} blocks became {after}"
    print("ok", allocated)


if __name__ == "__main__":
    main(*sys.argv[1:])
