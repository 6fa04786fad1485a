# SPDX-License-Identifier: MIT
# From the documentation of tracemalloc (Chinese translation), "计算差异".
from listing import run_your_application, start_your_application, tracemalloc
tracemalloc.start()
start_your_application()

snapshot1 = tracemalloc.take_snapshot()
run_your_application()
snapshot2 = tracemalloc.take_snapshot()

top_stats = snapshot2.compare_to(snapshot1, 'lineno')

print("[ Top 10 differences ]")
for stat in top_stats[:10]:
    print(stat)
