# SPDX-License-Identifier: MIT
"""The bookshop of examples/leaky_service with a customer in the same process, in rounds that
end with a snapshot (verdicts/rounds.py): what it does is the same in every run."""
import http.client
import random
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "verdicts"), str(HERE.parents[1] / "examples" / "leaky_service")]

import load  # noqa: E402
from rounds import rounds  # noqa: E402
from service import Shop  # noqa: E402

VISITS = 15  # in a round

with Shop(("127.0.0.1", 0)) as shop:
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", shop.server_port, timeout=60)
    chance = random.Random(1)
    for turn in rounds():
        for number in range(VISITS):
            load.visit(connection, chance, "customer", turn * VISITS + number)
    connection.close()
    shop.shutdown()
