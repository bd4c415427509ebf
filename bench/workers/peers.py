# Python's concurrent.futures: one call after the other, and sixteen at once, by threads or processes.

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor


def add(a, b):
    return a + b


def main():
    scenario, peer = sys.argv[1:]
    pool = ProcessPoolExecutor(1) if peer == 'python process' else ThreadPoolExecutor(16)
    for line in sys.stdin:
        n = int(line)
        began = time.perf_counter()
        if scenario == 'sixteen at once':
            for i in range(0, n, 16):
                for future in [pool.submit(add, i, k) for k in range(16)]:
                    future.result()
        else:
            for i in range(n):
                pool.submit(add, i, 1).result()
        print(json.dumps((time.perf_counter() - began) / n * 1000), flush=True)


if __name__ == '__main__':
    main()
