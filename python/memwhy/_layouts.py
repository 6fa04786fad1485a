# SPDX-License-Identifier: MIT
"""How objects lie in memory: found out, and compared with what memwhy knows of this release,
before anything walks over them (src/pyext/heap_check.c).
"""
import sys

from memwhy import _memwhy


class _Probe:
    pass


class _Slots:
    __slots__ = ("slot",)


def _numbers(local):
    yield from range(local)
    yield local


def _samples():
    """Objects of the kinds whose layout a walk relies on, each with its size and with what it
    refers to, some of which tp_traverse does not tell.  They leave no cycle behind."""
    value = [object()]
    number = id(value)
    key = f"key {number}"
    plain, with_dict, slots = _Probe(), _Probe(), _Slots()
    plain.attribute = with_dict.attribute = slots.slot = value
    vars(with_dict)  # makes the dict
    generator = _numbers(number)
    next(generator)

    def closure(argument=key):
        return value

    code = closure.__code__
    samples = [
        (value, value[0]), ((value, plain), value, plain), ({key: value}, key, value),
        ({number: value}, number, value), ({key}, key), (frozenset({key}), key),
        (plain, value, _Probe), (with_dict, _Probe), (slots, value, _Slots),
        (closure, code, closure.__closure__, closure.__defaults__, closure.__globals__),
        (closure.__closure__[0], value), (code, code.co_consts, code.co_name, code.co_filename),
        (generator, number), (_Probe, _Probe.__name__, _Probe.__mro__, _Probe.__bases__),
        (int,), (key,), (f"{key}\xe9",), (f"{key}\u4e2d",), (number,), (-number,), (key.encode(),),
        (sys, sys.__dict__), (value.append, value), (1.5,), (None,),
    ]
    return [(sample[0], sys.getsizeof(sample[0]), sample[1:]) for sample in samples]


_is_checked = False


def check():
    """Before the first walk; RuntimeError if this is no Python to walk in."""
    global _is_checked
    if not _is_checked:
        _memwhy._heap_learn(_Probe())
        _memwhy._heap_check(_samples())
        _is_checked = True
