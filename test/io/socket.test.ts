// Stream sockets on each driver: the tutorial's echo server, who waits where, and what cancellation leaves behind.

import { constants } from 'node:os';
import {
  CancelledError,
  currentTask,
  gather,
  ReadResourceBusy,
  run,
  sleep,
  spawn,
  type Task,
  TaskBusyError,
  TaskTimeout,
  timeoutAfter,
  WriteResourceBusy,
} from 'curio';
import type { Socket } from 'curio/io';
import { AF_INET, MSG_PEEK, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, socket } from 'curio/socket';
import { VirtualClock } from 'curio/testing';
import { ioWaiting, readWait } from 'curio/traps';
import { expect, test } from 'vitest';
import { connectedPair, drain, listener, onEachDriver } from '../kit/drivers.ts';
import { forgetful } from '../kit/forgetful.ts';
import { recorder } from '../kit/recorder.ts';

const patient = () => ({ clock: new VirtualClock({ patience: 0.02 }) });
/** For runs in which tasks are meant to crash. */
const quiet = () => ({ logger: recorder() });

onEachDriver('stream sockets', (driver) => {
  test('the echo server of the tutorial, in its order', async () => {
    const log: string[] = [];
    const handler = async (client: Socket) => {
      log.push('handler start');
      for (;;) {
        log.push('handler waits');
        const data = await client.recv(100);
        if (data.length === 0) break;
        log.push(`handler got ${data}`);
        await client.sendall(data);
      }
      await client.close();
      log.push('handler done');
    };
    await run(async () => {
      const [server, address] = await listener();
      const serve = await spawn(async () => {
        log.push('accept wait');
        const [client, [host, port]] = (await server.accept()) as [Socket, [string, number]];
        expect([host, typeof port]).toEqual(['127.0.0.1', 'number']);
        log.push('accept done');
        await (await spawn(handler, client)).join();
        await server.close();
      });
      await sleep(0);
      log.push('client start');
      const sock = socket(AF_INET, SOCK_STREAM);
      await sock.connect(address);
      for (const message of ['one', 'two']) {
        await sock.sendall(message);
        log.push(`client got ${await sock.recv(100)}`);
      }
      await sock.close();
      log.push('client closed');
      await serve.join();
    });
    expect(log).toEqual([
      'accept wait',
      'client start',
      'accept done',
      'handler start',
      'handler waits',
      'handler got one',
      'handler waits',
      'client got one',
      'handler got two',
      'handler waits',
      'client got two',
      'client closed',
      'handler done',
    ]);
  });

  test('what is received is nobody else’s memory', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await a.sendall('first');
      const first = await b.recv(100);
      await a.sendall('other');
      const other = await b.recv(100);
      expect([first.toString(), other.toString()]).toEqual(['first', 'other']);
      await a.close();
      await b.close();
    }));

  test('recv gives at most what it is asked for, and keeps the rest', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await a.sendall('abcdefgh');
      await a.close();
      expect(String(await b.recv(3))).toBe('abc');
      expect(String(await b.recv(3))).toBe('def');
      expect(String(await drain(b))).toBe('gh');
      expect(await b.recv(3)).toHaveLength(0);
      await b.close();
    }));

  test('recvInto fills a buffer as far as there is something, and says how far', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await a.sendall('hello');
      const buffer = Buffer.from('..........');
      expect(await b.recvInto(buffer.subarray(2))).toBe(5);
      expect(String(buffer)).toBe('..hello...');
      await a.sendall('world');
      expect(await b.recvInto(buffer, 2)).toBe(2);
      expect(String(buffer)).toBe('wohello...');
      await a.close();
      expect(await b.recvInto(buffer, 3)).toBe(3);
      expect(await b.recvInto(buffer)).toBe(0);
      await b.close();
    }));

  test('a million integers cross as the bytes of a typed array', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const sent = Int32Array.from({ length: 1_000_000 }, (_, i) => i);
      const received = new Int32Array(sent.length);
      const bytes = Buffer.from(received.buffer);
      await gather([
        () => a.sendall(sent),
        async () => {
          for (let at = 0; at < bytes.length; ) at += await b.recvInto(bytes.subarray(at));
        },
      ]);
      expect(Buffer.from(sent.buffer).equals(bytes)).toBe(true);
      await a.close();
      await b.close();
    }));

  test('the listening socket may be closed right after accept', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await a.sendall('still here');
      expect(String(await b.recv(100))).toBe('still here');
      await a.close();
      await b.close();
    }));

  test.each(['accept', 'recv'] as const)('%s honours a timeout and loses nothing by it', (operation) =>
    run(patient(), async () => {
      const [server, address] = await listener();
      const client = socket(AF_INET, SOCK_STREAM);
      if (operation === 'accept')
        await expect(timeoutAfter(1, () => server.accept())).rejects.toBeInstanceOf(TaskTimeout);
      await client.connect(address);
      const [peer] = await server.accept();
      if (operation === 'recv')
        await expect(timeoutAfter(1, () => peer.recv(10))).rejects.toBeInstanceOf(TaskTimeout);
      await client.sendall('late');
      expect(String(await peer.recv(10))).toBe('late');
      for (const sock of [client, peer, server]) await sock.close();
    }),
  );

  test.each(['accept', 'recv'] as const)('%s can be cancelled', (operation) =>
    run(async () => {
      const [server, address] = await listener();
      const [client, peer] = await connectedPair();
      const task = await spawn(async () => {
        try {
          await (operation === 'accept' ? server.accept() : peer.recv(10));
        } catch (error) {
          expect(error).toBeInstanceOf(CancelledError);
          throw error;
        }
      });
      await sleep(0);
      expect(task.state).toBe('READ_WAIT');
      await task.cancel();
      expect(task.exception).toBeInstanceOf(CancelledError);
      const late = socket(AF_INET, SOCK_STREAM);
      await late.connect(address);
      const [accepted] = await server.accept();
      await client.sendall('x');
      expect(String(await peer.recv(10))).toBe('x');
      for (const sock of [server, client, peer, late, accepted]) await sock.close();
    }),
  );

  test('a recv whose time is up at once still gives what is there', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await a.sendall('x');
      expect(String(await b.recv(100))).toBe('x');
      await a.sendall('y');
      await readWait(b);
      expect(String(await timeoutAfter(0, () => b.recv(100)))).toBe('y');
      await a.close();
      await b.close();
    }));

  test('a cancelled sendall says how many bytes the peer will receive', () =>
    run(patient(), async () => {
      const [a, b] = await connectedPair();
      const error = await timeoutAfter(1, () => a.sendall(Buffer.alloc(50_000_000, 'x'))).catch((e) => e);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error.bytesSent).toBeGreaterThan(0);
      const [received] = await gather([() => drain(b), () => a.close()]);
      expect(received.length).toBe(error.bytesSent);
      await b.close();
    }));

  test('send may take a part only, and waits while there is no room at all', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const data = Buffer.alloc(50_000_000);
      const taken = await a.send(data);
      expect(taken).toBeGreaterThan(0);
      expect(taken).toBeLessThan(data.length);
      const sender = await spawn(async () => {
        let total = 0;
        while (total < data.length) total += await a.send(data.subarray(total));
        await a.close();
      });
      expect((await drain(b)).length).toBe(taken + data.length);
      await sender.join();
      await b.close();
    }));

  test('one task reads while another writes', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const log: string[] = [];
      const reader = await spawn(async () => {
        expect(String(await a.recv(1))).toBe('!');
        log.push('read');
      });
      const writer = await spawn(async () => {
        await a.sendall(Buffer.alloc(10_000_000));
        log.push('written');
        await a.close();
      });
      await sleep(0);
      await b.sendall('!');
      await reader.join();
      expect((await drain(b)).length).toBe(10_000_000);
      await writer.join();
      expect(log).toEqual(['read', 'written']);
      await b.close();
    }));

  test('a second reader is refused at once, and the first goes on undisturbed', () =>
    run(quiet(), async () => {
      const [a, b] = await connectedPair();
      const first = await spawn(() => b.recv(100));
      await sleep(0);
      const second = await spawn({ name: 'second' }, () => b.recv(100));
      await second.wait();
      expect(second.exception).toBeInstanceOf(ReadResourceBusy);
      await a.sendall('data');
      expect(String(await first.join())).toBe('data');
      await a.close();
      await b.close();
    }));

  test('a second reader is refused even when the first has been chosen and did not run yet', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const first = await spawn(() => b.recv(100));
      await sleep(0);
      await a.sendall('data');
      // Always ready itself, this task sees the moment between the other's choice and its turn.
      while (first.state === 'READ_WAIT') await sleep(0);
      expect(first.state).toBe('READY');
      await expect(b.recv(100)).rejects.toBeInstanceOf(ReadResourceBusy);
      expect(String(await first.join())).toBe('data');
      await a.close();
      await b.close();
    }));

  test('a reader that is cancelled between being chosen and running keeps the data, and the next operation is hit', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const got: string[] = [];
      const reader = await spawn(async () => {
        got.push(String(await b.recv(100)));
        await sleep(0);
      });
      await sleep(0);
      await a.sendall('data');
      while (reader.state === 'READ_WAIT') await sleep(0);
      expect(reader.state).toBe('READY');
      await reader.cancel();
      expect(got).toEqual(['data']);
      expect(reader.exception).toBeInstanceOf(CancelledError);
      await a.close();
      await b.close();
    }));

  test('what a reader was chosen for is the next one’s, if it ends before its turn', () =>
    run(quiet(), async () => {
      const [a, b] = await connectedPair();
      for (const read of [
        async () => String(await b.recv(2)) + String(await b.recv(100)),
        async () => String(await b.recv(2, MSG_PEEK)) + String(await b.recv(100)),
        async () => {
          const buffer = Buffer.alloc(4);
          await readWait(b);
          return buffer.toString('latin1', 0, await b.recvInto(buffer));
        },
        async () => String((await b.recvfrom(100))[0]),
      ]) {
        const reader = await forgetful(() => b.recv(100));
        await a.sendall('data');
        while (reader.task.state === 'READ_WAIT') await sleep(0);
        expect(reader.task.state).toBe('READY');
        await reader.end();
        expect(await read()).toMatch(/^(da)?data$/);
      }
      await a.close();
      await b.close();
    }));

  test('the end of input that a reader was chosen for is there for the next one', () =>
    run(quiet(), async () => {
      const [a, b] = await connectedPair();
      const reader = await forgetful(() => b.recv(100));
      await a.close();
      while (reader.task.state === 'READ_WAIT') await sleep(0);
      await reader.end();
      expect(await b.recv(100)).toHaveLength(0);
      expect(await b.recv(100)).toHaveLength(0);
      await b.close();
    }));

  test('refusing a second writer and cancelling the first leaves the reader where it is', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const reader = await spawn(() => a.recv(100));
      const writer = await spawn(() => a.sendall(Buffer.alloc(50_000_000)));
      await sleep(0);
      await sleep(0);
      expect(writer.state).toBe('WRITE_WAIT');
      await expect(a.sendall('x')).rejects.toBeInstanceOf(WriteResourceBusy);
      await writer.cancel();
      await b.sendall('hello');
      expect(String(await reader.join())).toBe('hello');
      await a.close();
      await b.close();
    }));

  test('ioWaiting tells who waits', () =>
    run(async () => {
      const [server] = await listener();
      expect(await ioWaiting(server)).toEqual([null, null]);
      const task = await spawn(() => server.accept());
      await sleep(0);
      expect(await ioWaiting(server)).toEqual([task, null]);
      await task.cancel();
      expect(await ioWaiting(server)).toEqual([null, null]);
      await server.close();
    }));

  test('closing a socket wakes who waits there with EBADF', () =>
    run(quiet(), async () => {
      const [server] = await listener();
      const [a, b] = await connectedPair();
      const [c, d] = await connectedPair();
      const tasks: Task[] = [
        await spawn(() => server.accept()),
        await spawn(() => a.recv(100)),
        await spawn(() => a.sendall(Buffer.alloc(50_000_000))),
        await spawn(() => readWait(d)),
      ];
      await sleep(0);
      await sleep(0);
      for (const sock of [server, a, b, c, d]) await sock.close();
      for (const task of tasks) {
        await task.wait();
        expect(task.exception).toMatchObject({ code: 'EBADF' });
      }
    }));

  test('a closed socket refuses everything, and closing it again is harmless', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await a.close();
      await a.close();
      await expect(a.recv(1)).rejects.toMatchObject({ code: 'EBADF' });
      await expect(a.send('x')).rejects.toMatchObject({ code: 'EBADF' });
      await expect(a.sendall('x')).rejects.toMatchObject({ code: 'EBADF' });
      await expect(a.accept()).rejects.toMatchObject({ code: 'EBADF' });
      await expect(a.sendto('x', ['127.0.0.1', 1])).rejects.toMatchObject({ code: 'EBADF' });
      expect(() => a.getsockopt(SOL_SOCKET, SO_REUSEADDR)).toThrow(/EBADF/);
      expect(await b.recv(10)).toHaveLength(0);
      await b.close();
    }));

  test('a socket used as a block is closed at its end', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      {
        await using inside = a;
        await inside.sendall('bye');
      }
      expect(String(await drain(b))).toBe('bye');
      await expect(a.send('x')).rejects.toMatchObject({ code: 'EBADF' });
      await b.close();
    }));

  test('a port where nobody listens is ECONNREFUSED, as an error or as a number', () =>
    run(async () => {
      const [server, address] = await listener();
      await server.close();
      const [host, port] = address as [string, number];
      const error = await socket()
        .connect(address)
        .catch((e) => e);
      expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: host, port });
      expect(error.message).toBe(`connect ECONNREFUSED ${host}:${port}`);
      expect(error.errno).toBeLessThan(0);
      const sock = socket();
      expect(await sock.connectEx(address)).toBe(-error.errno);
      await sock.close();
    }));

  test('a socket whose connecting was refused may try elsewhere', () =>
    run(async () => {
      const [gone, nowhere] = await listener();
      await gone.close();
      const [server, address] = await listener();
      const sock = socket();
      await expect(sock.connect(nowhere)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await sock.connect(address);
      expect(sock.getpeername()).toEqual(address);
      await sock.close();
      await server.close();
    }));

  test('connectEx gives 0 for a connection that stands', () =>
    run(async () => {
      const [server, address] = await listener();
      const sock = socket();
      expect(await sock.connectEx(address)).toBe(0);
      expect(sock.getpeername()).toEqual(address);
      expect(await sock.connectEx(address)).toBe(constants.errno.EISCONN);
      await expect(sock.connect(address)).rejects.toMatchObject({ code: 'EISCONN' });
      await sock.close();
      await server.close();
    }));

  test('a bound port in use is EADDRINUSE, at the latest when ready', () =>
    run(async () => {
      const [server, address] = await listener();
      const sock = socket();
      sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
      const attempt = async () => {
        sock.bind(address);
        sock.listen(5);
        await sock.ready();
      };
      await expect(attempt()).rejects.toMatchObject({ code: 'EADDRINUSE' });
      await sock.close();
      await server.close();
    }));

  test('a socket that is bound and neither listens nor connects has its name, or says from when on', () =>
    run(async () => {
      const sock = socket();
      sock.bind(['127.0.0.1', 0]);
      await sock.ready();
      if (driver === 'posix') expect(sock.getsockname()).toEqual(['127.0.0.1', expect.any(Number)]);
      else expect(() => sock.getsockname()).toThrow('is bound when it listens or connects');
      await sock.close();
    }));

  test('a timeout of the socket’s own is refused', () =>
    run(async () => {
      const sock = socket();
      expect(() => sock.settimeout(1)).toThrow(/timeoutAfter/);
      expect(sock.gettimeout()).toBeNull();
      await sock.close();
    }));

  test('two operations of one task at once are refused by name', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const first = b.recv(10);
      expect(() => b.recv(10)).toThrow(TaskBusyError);
      expect(() => a.sendall('x')).toThrow(/Socket\.sendall\(\).*Socket\.recv\(\)/);
      const me = await currentTask();
      const other = await spawn(async () => {
        expect(me.state).toBe('READ_WAIT');
        await a.sendall('x');
      });
      expect(String(await first)).toBe('x');
      await other.join();
      await a.close();
      await b.close();
    }));

  test('addresses and sizes that make no sense are refused at the call', () =>
    run(async () => {
      const sock = socket();
      expect(() => sock.recv(-1)).toThrow(TypeError);
      expect(() => sock.recv('10' as never)).toThrow(/whole number as maxbytes, not "10"/);
      expect(() => sock.recv(1.5)).toThrow(TypeError);
      expect(() => sock.connect('localhost' as never)).toThrow(/\['127.0.0.1', 25000\]/);
      expect(() => sock.connect(['localhost', 70000])).toThrow(RangeError);
      expect(() => sock.sendall(5 as never)).toThrow(TypeError);
      expect(() => sock.sendall(5 as never)).toThrow('wants bytes: a string, a Buffer, ');
      expect(() => sock.recvInto(Buffer.alloc(3), 4)).toThrow(RangeError);
      await sock.close();
    }));

  test('flags, options and halves that are no numbers are refused at the call, which names them', () =>
    run(async () => {
      await using stream = socket();
      await using datagram = socket(AF_INET, SOCK_DGRAM);
      const here = ['127.0.0.1', 9] as [string, number];
      for (const wrong of ['MSG_PEEK', {}, null, Number.NaN, 1.5, 2 ** 32] as never[]) {
        for (const call of [
          () => stream.recv(10, wrong),
          () => stream.recvInto(Buffer.alloc(3), 0, wrong),
          () => stream.recvmsg(10, 0, wrong),
          () => stream.recvmsgInto([Buffer.alloc(3)], 0, wrong),
          () => stream.send('x', wrong),
          () => stream.sendall('x', wrong),
          () => stream.sendmsg(['x'], [], wrong),
          () => datagram.recvfrom(10, wrong),
          () => datagram.recvfromInto(Buffer.alloc(3), 0, wrong),
          () => datagram.sendto('x', wrong, here),
        ]) {
          expect(call).toThrow(/^Socket\.\w+\(\) wants a whole number of 32 bits as flags, not /);
          expect(call).toThrow(TypeError);
        }
      }
      for (const sock of [stream, datagram]) {
        expect(() => sock.shutdown('both' as never)).toThrow(
          /wants .* as SHUT_RD, SHUT_WR or SHUT_RDWR, not "both"/,
        );
        expect(() => (sock as unknown as { setsockopt(level: object): void }).setsockopt({})).toThrow(
          /as level, not an object/,
        );
        expect(() => sock.setsockopt(SOL_SOCKET, 'SO_REUSEADDR' as never, 1)).toThrow(
          /as name, not "SO_REUSEADDR"/,
        );
        expect(() => sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, {} as never)).toThrow(
          /as value, not an object/,
        );
        expect(() => sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, undefined as never)).toThrow(TypeError);
        expect(() => sock.getsockopt({} as never, SO_REUSEADDR)).toThrow(/as level, not an object/);
        expect(() => sock.getsockopt(SOL_SOCKET, SO_REUSEADDR, 'int' as never)).toThrow(/as size, not "int"/);
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, true);
        expect(sock.getsockopt(SOL_SOCKET, SO_REUSEADDR)).toBe(1);
      }
    }));

  test('receiving nothing waits for nothing and takes nothing, as in Python', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      expect(await a.recv(0)).toHaveLength(0);
      expect(await a.recv(0, MSG_PEEK)).toHaveLength(0);
      expect(await a.recvInto(Buffer.alloc(0))).toBe(0);
      await b.sendall('x');
      expect(await a.recv(0)).toHaveLength(0);
      expect(String(await a.recv(1))).toBe('x');
      await a.close();
      await expect(a.recv(0)).rejects.toMatchObject({ code: 'EBADF' });
      await expect(a.recvInto(Buffer.alloc(0))).rejects.toMatchObject({ code: 'EBADF' });
      await b.close();
    }));

  test('outside a task every operation is refused', async () => {
    const [a, b] = await run(connectedPair);
    await expect(a.recv(10)).rejects.toThrow(/Socket\.recv\(\).*(outside a task|has ended)/);
    await expect(a.sendall('x')).rejects.toThrow(/outside a task|has ended/);
    await run(async () => {
      await a.close();
      await b.close();
    });
  });
});
