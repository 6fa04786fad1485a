# SPDX-License-Identifier: MIT
# From a question-and-answer page on finding leaks with tracemalloc: "怎么用
# snapshot.compare_to() 找出真实增长点?" and "如何过滤掉干扰项?".  The page hands an
# argument for threads and `filters=` to start(); no version has them, and both modules are
# to refuse them in the same way.
import logging

from listing import run_your_application, start_your_application, tracemalloc

tracemalloc.start(25)  # 保存 25 层调用栈

start_your_application()
snapshot1 = tracemalloc.take_snapshot()

run_your_application()
logging.getLogger("myapp").warning("noise")
snapshot2 = tracemalloc.take_snapshot()

# 只看新增分配(按 size_diff 降序)
top_stats = snapshot2.compare_to(snapshot1, 'lineno')
for stat in top_stats[:10]:
    print(stat)

filters = [
    tracemalloc.Filter(False, ''),
    tracemalloc.Filter(False, '*/logging/*'),
    tracemalloc.Filter(True, '*/listing.py'),  # 只保留自己代码
]
for stat in snapshot2.filter_traces(filters).statistics('lineno'):
    print(stat)

for arguments, names in (((10, True), {}), ((10,), {'filters': filters})):
    try:
        tracemalloc.start(*arguments, **names)
    except TypeError:
        print("refused")
