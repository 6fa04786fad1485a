# SPDX-License-Identifier: MIT
# From the article "Python中如何查看对象的内存分配"; the key type and the number of objects
# (a million there) are arguments here.
import sys

from memory_trace import MemoryTrace


@MemoryTrace(frame=20, key_type=sys.argv[2])
def func():
    d = [dict(zip('xy', (0, 1))) for i in range(int(sys.argv[3]))]
    t = [tuple(zip('xy', (0, 1))) for i in range(int(sys.argv[3]))]


if __name__ == '__main__':
    func()
