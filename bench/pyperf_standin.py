# SPDX-License-Identifier: MIT
"""What pyperformance's scripts use of the module pyperf, for one process of ours.

pyperf itself starts dozens of processes for each benchmark and calibrates each, for
hours.  Here a benchmark runs where the script is imported: once to warm up, then a few
times, each as many loops as the untraced interpreter needs for a tenth of a second.  The
clock is the CPU time of the process.
"""
import argparse
import asyncio
import platform
import sys
import time
import types

LEAST_SECONDS = 0.1


class Elsewhere(Exception):
    """The benchmark times another process, which our tracer is not in."""


class Recorder:
    """The times of each benchmark of a script, by name."""

    def __init__(self, loops, values):
        self.loops = loops      # name → loops; empty: find out
        self.values = values    # 0: calibrate, no more
        self.times = {}

    def calibrated(self, name, run):
        if name not in self.loops:
            loops = 1
            while run(loops) < LEAST_SECONDS:
                loops *= 2
            self.loops[name] = loops
        return self.loops[name]

    def record(self, name, run):
        loops = self.calibrated(name, run)
        if self.values == 0:
            return
        run(loops)
        self.times[name] = [run(loops) / loops for _ in range(self.values)]


def make_runner_class(recorder):
    class Runner:
        def __init__(self, add_cmdline_args=None, **_):
            self.argparser = argparse.ArgumentParser()
            self.metadata = {}
            self.args = None

        def parse_args(self, args=None):
            self.args = self.args or self.argparser.parse_args(args)
            return self.args

        def bench_time_func(self, name, time_func, *args, **_):
            recorder.record(name, lambda loops: time_func(loops, *args))

        def bench_func(self, name, func, *args, **_):
            def run(loops):
                started = time.process_time()
                for _ in range(loops):
                    func(*args)
                return time.process_time() - started

            recorder.record(name, run)

        def bench_async_func(self, name, func, *args, loop_factory=None, **_):
            async def repeat(loops):
                started = time.process_time()
                for _ in range(loops):
                    await func(*args)
                return time.process_time() - started

            def run(loops):
                if loop_factory is None:
                    return asyncio.run(repeat(loops))
                with asyncio.Runner(loop_factory=loop_factory) as runner:
                    return runner.run(repeat(loops))

            recorder.record(name, run)

        def bench_command(self, name, command):
            raise Elsewhere("it times a command in another process")

    return Runner


def install(recorder):
    """Puts the stand-in where `import pyperf` finds it."""
    module = types.ModuleType("pyperf")
    module.Runner = make_runner_class(recorder)
    module.perf_counter = time.process_time
    module.python_implementation = lambda: platform.python_implementation().lower()
    sys.modules["pyperf"] = module
