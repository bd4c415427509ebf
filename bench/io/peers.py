# Python's echo servers: `python3 peers.py NAME` prints its port and serves until it is killed.

import asyncio
import socket
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


def serve_asyncio():
    async def main():
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(main())


def serve_uvloop():
    import uvloop

    uvloop.install()
    serve_asyncio()


def serve_trio():
    import trio

    async def echo(stream):
        async for data in stream:
            await stream.send_all(data)

    async def main():
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
        print(listeners[0].socket.getsockname()[1], flush=True)
        await trio.serve_listeners(echo, listeners)

    trio.run(main)


{"asyncio": serve_asyncio, "uvloop": serve_uvloop, "trio": serve_trio}[sys.argv[1]]()
