# SPDX-License-Identifier: MIT
"""memwhy.region: the context manager (in C, src/pyext/region_type.c) that also decorates.

Each wrapper is a function of the same kind as the one that it wraps, since frameworks ask
what kind a handler is; and its frame is the one that the region belongs to.
"""
from memwhy import _memwhy


class region(_memwhy._region):
    __doc__ = _memwhy._region.__doc__
    __slots__ = ()

    def __call__(self, function):
        import functools  # here, since every program with memwhy comes past the top
        import inspect

        if not callable(function):
            raise TypeError(f"a region decorates functions, not {type(function).__name__!r}")
        if inspect.isasyncgenfunction(function):
            wrapper = _around_async_generator(self.name, function)
        elif inspect.iscoroutinefunction(function):
            wrapper = _around_coroutine(self.name, function)
        elif inspect.isgeneratorfunction(function):
            wrapper = _around_generator(self.name, function)
        else:
            wrapper = _around_function(self.name, function)
        return functools.wraps(function)(wrapper)


def carry(function):
    """Return `function` such that it runs in the regions that the caller is in now.

    For what is handed to a task or another thread, which begin in no region:

        asyncio.create_task(memwhy.carry(work)(order))
        executor.submit(memwhy.carry(work), order)

    As a region does, it takes functions, coroutine functions and generators.
    """
    if not callable(function):
        raise TypeError(f"regions are carried by functions, not {type(function).__name__!r}")
    for name in _memwhy._current_regions():
        function = region(name)(function)
    return function


def _around_function(name, function):
    def in_region(*args, **kwargs):
        with region(name):
            return function(*args, **kwargs)

    return in_region


def _around_coroutine(name, function):
    async def in_region(*args, **kwargs):
        with region(name):
            return await function(*args, **kwargs)

    return in_region


def _around_generator(name, function):
    def in_region(*args, **kwargs):
        with region(name):
            return (yield from function(*args, **kwargs))

    return in_region


def _around_async_generator(name, function):
    # There is no `yield from` for these: what comes in is handed on by hand.
    async def in_region(*args, **kwargs):
        with region(name):
            inner = function(*args, **kwargs)
            resume = inner.__anext__()
            while True:
                try:
                    value = await resume
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:
                    resume = inner.athrow(error)
                else:
                    resume = inner.asend(sent)

    return in_region
