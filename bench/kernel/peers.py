# Python's asyncio as a peer: the same scenarios, the same protocol as child.mjs.

import asyncio
import json
import sys
import time


async def quick():
    return 1


async def task_switch(n):
    async def loop():
        for _ in range(n // 2):
            await asyncio.sleep(0)

    await asyncio.gather(loop(), loop())


async def spawn_and_join(n):
    for _ in range(n):
        await asyncio.create_task(quick())


async def queue_handoff(n):
    there, back = asyncio.Queue(), asyncio.Queue()

    async def echo():
        for _ in range(n // 2):
            await back.put(await there.get())

    task = asyncio.create_task(echo())
    for i in range(n // 2):
        await there.put(i)
        await back.get()
    await task


async def timeout(n):
    for _ in range(n):
        async with asyncio.timeout(10):
            await quick()


async def spawn_and_cancel(n):
    for _ in range(n):
        task = asyncio.create_task(asyncio.sleep(1000))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])


async def timeout_that_expires(n):
    for _ in range(n):
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(1000)
        except TimeoutError:
            pass


async def lock_handoff(n):
    lock = asyncio.Lock()

    async def loop():
        for _ in range(n // 2):
            async with lock:
                await asyncio.sleep(0)

    await asyncio.gather(loop(), loop())


scenarios = {
    "task switch": task_switch,
    "spawn and join": spawn_and_join,
    "queue handoff": queue_handoff,
    "timeout around a quick operation": timeout,
    "spawn and cancel": spawn_and_cancel,
    "timeout that expires": timeout_that_expires,
    "lock handoff": lock_handoff,
}

round_ = scenarios[sys.argv[1]]
for line in sys.stdin:
    before = time.process_time()
    asyncio.run(round_(int(line)))
    print(json.dumps({"cpu": time.process_time() - before}), flush=True)
