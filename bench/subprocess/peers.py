# Python's side of scenarios.mjs: `python3 peers.py SCENARIO PEER`, a number of processes for each round on standard input.

import asyncio
import json
import subprocess
import sys
import time

scenario, peer = sys.argv[1:]
captured = scenario == "run a command and take its output"
command = ["echo", "hello"] if captured else ["true"]
PIPE = subprocess.PIPE if captured else None


def check(output):
    assert not captured or output == b"hello\n", output


def python(n):
    for _ in range(n):
        check(subprocess.run(command, stdout=PIPE, stderr=PIPE).stdout)


def in_asyncio(n):
    async def go():
        for _ in range(n):
            process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
            check((await process.communicate())[0])

    asyncio.run(go())


def in_uvloop(n):
    import uvloop

    uvloop.install()
    in_asyncio(n)


def in_trio(n):
    import trio

    async def go():
        for _ in range(n):
            check((await trio.run_process(command, capture_stdout=captured, capture_stderr=captured)).stdout)

    trio.run(go)


round_ = {"python": python, "asyncio": in_asyncio, "uvloop": in_uvloop, "trio": in_trio}[peer]
for line in sys.stdin:
    before = time.process_time()
    round_(int(line))
    print(json.dumps({"cpu": time.process_time() - before}), flush=True)
