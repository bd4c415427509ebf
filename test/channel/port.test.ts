// Node's own connections as what carries messages: MessagePorts, and the IPC channel of a child process.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import {
  AuthenticationError,
  EOFError,
  gather,
  run,
  sleep,
  spawn,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { Connection } from 'curio/channel';
import { VirtualClock } from 'curio/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { folder } from '../kit/processes.ts';
import { Program } from '../kit/program.ts';

const patient = () => ({ clock: new VirtualClock({ patience: 0.02 }) });

/** The next message that comes out at the far end of a port. */
const next = async (port: MessagePort): Promise<unknown> => (await once(port, 'message'))[0];

function ports(): { port1: MessagePort; port2: MessagePort } {
  const channel = new MessageChannel();
  onTestFinished(() => channel.port2.close());
  return channel;
}

describe('a MessagePort', () => {
  test('brings what is sent to whoever listens at its other end, and the other way round', () =>
    run(async () => {
      const { port1, port2 } = ports();
      const connection = Connection.from(port1);
      await connection.send({ map: new Map([['a', 1]]) });
      expect(await next(port2)).toEqual({ map: new Map([['a', 1]]) });
      port2.postMessage(['an', 'answer']);
      expect(await connection.recv()).toEqual(['an', 'answer']);
      await connection.close();
    }));

  test('with a connection at each end carries objects and bytes, and lets them show their keys', () =>
    run(async () => {
      const { port1, port2 } = ports();
      const [a, b] = [Connection.from(port1), Connection.from(port2)];
      await gather([() => a.authenticateServer('key'), () => b.authenticateClient('key')]);
      await a.send('object');
      const bytes = Buffer.from('0123456789');
      expect(await a.sendBytes(bytes, 2, 5)).toBe(5);
      bytes.fill('x');
      expect(await b.recv()).toBe('object');
      expect(await b.recvBytes()).toEqual(Buffer.from('23456'));
      await b.sendBytes(Uint16Array.of(1, 2));
      const target = new Uint16Array(2);
      expect(await a.recvBytesInto(target)).toBe(4);
      expect(target).toEqual(Uint16Array.of(1, 2));
      await a.close();
      await b.close();
    }));

  test('lets nobody in who has another key', () =>
    run(async () => {
      const { port1, port2 } = ports();
      const [a, b] = [Connection.from(port1), Connection.from(port2)];
      const failure = (operation: Promise<void>) => operation.catch((error) => error);
      const errors = await gather([
        () => failure(a.authenticateServer('one')),
        () => failure(b.authenticateClient('other')),
      ]);
      for (const error of errors) expect(error).toBeInstanceOf(AuthenticationError);
      await a.close();
      await b.close();
    }));

  test('holds messages back until they are asked for, in order, also those from before', () =>
    run(async () => {
      const { port1, port2 } = ports();
      for (let i = 0; i < 3; i++) port2.postMessage(i);
      const connection = Connection.from(port1);
      for (let i = 3; i < 6; i++) port2.postMessage(i);
      for (let i = 0; i < 6; i++) expect(await connection.recv()).toBe(i);
      await connection.close();
    }));

  test('loses nothing to a cancellation or a timeout', () =>
    run(patient(), async () => {
      const { port1, port2 } = ports();
      const connection = Connection.from(port1);
      await expect(timeoutAfter(1, () => connection.recv())).rejects.toThrow(TaskTimeout);
      const task = await spawn({ daemon: true }, () => connection.recv());
      await sleep(1);
      expect(task.state).toBe('READ_WAIT');
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      port2.postMessage('still there');
      expect(await connection.recv()).toBe('still there');
      await connection.close();
    }));

  test('that is closed at the other end is the end of input, after what was sent', () =>
    run(async () => {
      const { port1, port2 } = ports();
      const connection = Connection.from(port1);
      port2.postMessage('last words');
      port2.close();
      expect(await connection.recv()).toBe('last words');
      await expect(connection.recv()).rejects.toThrow(EOFError);
      await expect(connection.send(1)).rejects.toMatchObject({ code: 'EBADF' });
      await connection.close();
    }));

  test('that is closed here wakes who waits, and the other end hears of it', () =>
    run(async () => {
      const { port1, port2 } = ports();
      const closed = once(port2, 'close');
      const connection = Connection.from(port1);
      const waiter = await spawn(() => connection.recv().catch((error) => error));
      await sleep(0);
      await connection.close();
      expect(await waiter.join()).toMatchObject({ code: 'EBADF' });
      await expect(connection.recv()).rejects.toMatchObject({ code: 'EBADF' });
      await connection.close();
      await closed;
    }));

  test('refuses what cannot be sent, and goes on', () =>
    run(async () => {
      const { port1, port2 } = ports();
      const connection = Connection.from(port1);
      await expect(connection.send(() => {})).rejects.toThrow('could not be cloned');
      await connection.send('fine');
      expect(await next(port2)).toBe('fine');
      await connection.close();
    }));

  test('gives bytes only where bytes have come, and no more than allowed', () =>
    run(async () => {
      const { port1, port2 } = ports();
      const connection = Connection.from(port1, { maxMessageSize: 10 });
      port2.postMessage({ not: 'bytes' });
      await expect(connection.recvBytes()).rejects.toMatchObject({ code: 'EBADMSG' });
      port2.postMessage(new Uint8Array(5));
      await expect(connection.recvBytes(4)).rejects.toMatchObject({ code: 'EMSGSIZE' });
      expect((await connection.recvBytes(5)).length).toBe(5);
      port2.postMessage(new Uint8Array(11));
      await expect(connection.recv()).rejects.toMatchObject({ code: 'EMSGSIZE' });
      await connection.close();
    }));
});

describe('a child process with an IPC channel', () => {
  const echo = `
    process.on('message', (message) => {
      if (message === 'leave') process.disconnect();
      else process.send({ echo: message });
    });
  `;

  function child(serialization: 'json' | 'advanced', script = echo): ChildProcess {
    const file = join(folder(), 'child.cjs');
    writeFileSync(file, script);
    const process_ = fork(file, { serialization });
    onTestFinished(() => void process_.kill('SIGKILL'));
    return process_;
  }

  test.each(['json', 'advanced'] as const)('sends and receives objects (%s)', (serialization) =>
    run(async () => {
      await using connection = Connection.from(child(serialization));
      await connection.send({ n: 1 });
      expect(await connection.recv()).toEqual({ echo: { n: 1 } });
      await connection.send('leave');
      await expect(connection.recv()).rejects.toThrow(EOFError);
      await expect(connection.send('more')).rejects.toMatchObject({ code: 'EBADF' });
    }),
  );

  test.each(['json', 'advanced'] as const)('sends and receives bytes (%s)', (serialization) =>
    run(async () => {
      const script = `process.on('message', (message) => process.send(message))`;
      await using connection = Connection.from(child(serialization, script));
      await connection.sendBytes('some bytes');
      expect((await connection.recvBytes()).toString()).toBe('some bytes');
    }),
  );

  test('is disconnected when the connection is closed', async () => {
    const process_ = child('json');
    const exit = once(process_, 'exit');
    await run(async () => {
      const connection = Connection.from(process_);
      await connection.send('hello');
      await connection.recv();
      await connection.close();
      await connection.close();
    });
    expect(process_.connected).toBe(false);
    expect((await exit)[0]).toBe(0);
  });

  test('keeps both processes alive only while a task waits', async () => {
    const { stdout, stderr, code } = await new Program('test/programs/ipc.ts', { fast: false }).ended;
    expect({ stdout, stderr, code }).toEqual({
      stdout: 'parent: hello from the child\nchild: hello from the parent\nchild: the end\nparent done\n',
      stderr: '',
      code: 0,
    });
  });
});

test('what is none of these is refused', () => {
  for (const port of [null, 5, {}, { postMessage() {} }, [], 'port'])
    expect(() => Connection.from(port as never)).toThrow(TypeError);
});
