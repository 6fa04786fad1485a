#!/usr/bin/env python
# -*- coding:utf-8 -*-
# SPDX-License-Identifier: MIT
# From the note "用tracemalloc来掌握内存的使用与泄漏情况".
from listing import tracemalloc
import waste_memory

tracemalloc.start(10)
# 内存快照
time1 = tracemalloc.take_snapshot()

x = waste_memory.run()
# 内存快照
time2 = tracemalloc.take_snapshot()
# 获取两个快照并显示差异
stats = time2.compare_to(time1, 'lineno')
for stat in stats[:3]:
    print(stat)
