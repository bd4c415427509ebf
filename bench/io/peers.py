# Python's servers: `python3 peers.py PROTOCOL NAME [ARGUMENT ...]` prints its port and serves until it is killed.
# tcp, tls and udp send back what they get; sink receives and forgets it.

import asyncio
import socket
import ssl
import sys

protocol, name, *args = sys.argv[1:]
WHOLE = 65536


def context():
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(*args)
    return made


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class EchoDatagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


def serve_asyncio():
    async def serve():
        loop = asyncio.get_running_loop()
        if protocol == "udp":
            transport, _ = await loop.create_datagram_endpoint(EchoDatagrams, ("127.0.0.1", 0))
            print(transport.get_extra_info("sockname")[1], flush=True)
            return await asyncio.sleep(1e6)
        if protocol == "sink":
            return await sink(loop)
        if name.endswith("streams"):
            server = await asyncio.start_server(echo_stream, "127.0.0.1", 0, backlog=1024)
            print(server.sockets[0].getsockname()[1], flush=True)
            return await server.serve_forever()
        secure = context() if protocol == "tls" else None
        server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=1024, ssl=secure)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def echo_stream(reader, writer):
        while data := await reader.read(WHOLE):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def sink(loop):
        async def forget(client):
            with client:
                while await loop.sock_recv(client, int(args[0])):
                    pass

        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        print(listener.getsockname()[1], flush=True)
        clients = set()
        while True:
            client, _ = await loop.sock_accept(listener)
            task = loop.create_task(forget(client))
            clients.add(task)
            task.add_done_callback(clients.discard)

    asyncio.run(serve())


def serve_uvloop():
    import uvloop

    uvloop.install()
    serve_asyncio()


def serve_trio():
    import trio

    async def echo(stream):
        async for data in stream:
            await stream.send_all(data)

    async def forget(stream):
        while await stream.socket.recv(int(args[0])):
            pass

    async def serve():
        if protocol == "udp":
            return await datagrams()
        if protocol == "tls":
            listeners = await trio.open_ssl_over_tcp_listeners(0, context(), host="127.0.0.1", backlog=1024)
            address = listeners[0].transport_listener.socket.getsockname()
        else:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
            address = listeners[0].socket.getsockname()
        print(address[1], flush=True)
        await trio.serve_listeners(forget if protocol == "sink" else tolerant, listeners)

    async def tolerant(stream):
        # A client that ends TLS without a goodbye is no reason to end the server.
        try:
            await echo(stream)
        except trio.BrokenResourceError:
            pass

    async def datagrams():
        sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        await sock.bind(("127.0.0.1", 0))
        print(sock.getsockname()[1], flush=True)
        while True:
            data, address = await sock.recvfrom(WHOLE)
            await sock.sendto(data, address)

    trio.run(serve)


{"asyncio": serve_asyncio, "uvloop": serve_uvloop, "trio": serve_trio}[name.split()[0]]()
