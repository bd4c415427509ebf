# Python's side of scenarios.mjs: `python3 peers.py SCENARIO PEER`, a number of lines for each round on standard input.

import json
import os
import sys
import time

path = os.environ["CURIO_BENCH_FILE"]


def python(n):
    with open(path, encoding="utf-8") as file:
        assert sum(1 for _ in file) == n


round_ = {"python": python}[sys.argv[2]]
for line in sys.stdin:
    before = time.process_time()
    round_(int(line))
    print(json.dumps({"cpu": time.process_time() - before}), flush=True)
