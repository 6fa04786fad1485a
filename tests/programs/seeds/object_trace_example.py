# SPDX-License-Identifier: MIT
# From the same article: how ObjectTrace is used.
import sys

from object_trace import ObjectTrace


seq = list()


class Test(object):
    pass


@ObjectTrace(growth_file=sys.argv[2] if len(sys.argv) > 2 else None)
def func():
    o = Test()
    seq.append(o)
    return
    seq.remove(o)


if __name__ == '__main__':
    func()
    ObjectTrace.object_backref("Test")
