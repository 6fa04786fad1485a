# SPDX-License-Identifier: MIT
# From the documentation of tracemalloc (Chinese translation), "Get the traceback of a
# memory block".
from listing import run_your_application, tracemalloc

# Store 25 frames
tracemalloc.start(25)

run_your_application()

snapshot = tracemalloc.take_snapshot()
top_stats = snapshot.statistics('traceback')

# pick the biggest memory block
stat = top_stats[0]
print("%s memory blocks: %.1f KiB" % (stat.count, stat.size / 1024))
for line in stat.traceback.format():
    print(line)
