# SPDX-License-Identifier: MIT
# From the documentation of tracemalloc (Chinese translation), "显示前10项".
from listing import run_your_application, tracemalloc

tracemalloc.start()

run_your_application()

snapshot = tracemalloc.take_snapshot()
top_stats = snapshot.statistics('lineno')

print("[ Top 10 ]")
for stat in top_stats[:10]:
    print(stat)
