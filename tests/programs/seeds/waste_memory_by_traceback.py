# SPDX-License-Identifier: MIT
# From the note "用tracemalloc来掌握内存的使用与泄漏情况".
from listing import tracemalloc
import waste_memory

tracemalloc.start(10)  # 栈深
time1 = tracemalloc.take_snapshot()
x = waste_memory.run()
time2 = tracemalloc.take_snapshot()
stats = time2.compare_to(time1, 'traceback')
top = stats[0]
print('Biggest offender is:')
# 打印栈信息
print('\n'.join(top.traceback.format()))
