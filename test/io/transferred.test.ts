// Memory that somebody transfers to another thread, as `postMessage(bytes, [bytes.buffer])` does: what was received, while others have
// their own beside it, and what is to be sent or read into.

import { CancelledError, run, sleep, spawn } from 'curio';
import { socketpair } from 'curio/socket';
import { expect, test } from 'vitest';
import { ByteQueue } from '../../src/io/bytes.ts';
import { connectedPair, onEachDriver, onPosix } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';

/** Transfers the memory of these bytes, if that can be done: the older Nodes copy what cannot be transferred, the others throw. */
function transfer(bytes: Uint8Array): void {
  try {
    structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
  } catch (error) {
    expect(error).toMatchObject({ name: 'DataCloneError' });
  }
}

const line = `${'x'.repeat(1000)}\n`;

test('a line, while others of the same chunk wait', () => {
  const queue = new ByteQueue();
  const chunk = Buffer.allocUnsafeSlow(4 * line.length);
  chunk.write(line.repeat(4));
  queue.push(chunk);
  queue.takeInto(Buffer.alloc(1));
  transfer(queue.takeLine() as Buffer);
  expect(String(queue.takeLine())).toBe(line);
  transfer(queue.take(line.length));
  expect(String(queue.takeAll())).toBe(line);
});

onPosix('data of several connections', () => {
  test('each has its own', () =>
    run({ logger: recorder() }, async () => {
      const [a, b] = socketpair();
      const [c, d] = socketpair();
      // The pool is made for the first that comes while a task waits, and cut for those behind.
      for (let round = 0; round < 3; round++) {
        const [mine, yours] = [await spawn(() => b.recv(10)), await spawn(() => d.recv(10))];
        await sleep(0.001);
        await a.sendall('mine');
        await c.sendall('yours');
        transfer(await mine.join());
        expect(String(await yours.join())).toBe('yours');
      }
      for (const sock of [a, b, c, d]) await sock.close();
    }));
});

onEachDriver('memory that is transferred', () => {
  test('a part of what has come, while the rest waits', () =>
    run({ logger: recorder() }, async () => {
      const [a, b] = await connectedPair();
      await a.sendall(line + line);
      const first = await b.recv(line.length);
      transfer(first);
      let rest = '';
      while (rest.length < 2 * line.length - first.length) rest += await b.recv(100_000);
      expect(rest.endsWith(line)).toBe(true);
      await a.close();
      await b.close();
    }));

  test('what sendall has not sent yet is an error, with what has been sent', () =>
    run({ logger: recorder() }, async () => {
      const [a, b] = await connectedPair();
      const data = new Uint8Array(32 << 20);
      const sending = await spawn(() => a.sendall(data));
      await sleep(0.01);
      structuredClone(data, { transfer: [data.buffer] });
      let received = 0;
      const reader = await spawn(async () => {
        for (let n = 1; n > 0; received += n) n = (await b.recv(1 << 20)).length;
      });
      await sending.wait();
      expect(sending.exception).toBeInstanceOf(TypeError);
      expect((sending.exception as Error).message).toMatch(/^Socket\.sendall\(\): .* transferred elsewhere/);
      await a.close();
      await reader.join();
      expect((sending.exception as { bytesSent?: number }).bytesSent).toBe(received);
      await b.close();
    }));

  test('what recvInto and readinto were to fill is an error, and what has come stays to be read', () =>
    run({ logger: recorder() }, async () => {
      const [a, b] = await connectedPair();
      for (const read of [
        (target: Uint8Array) => b.recvInto(target),
        (target: Uint8Array) => b.asStream().readinto(target),
      ]) {
        const target = new Uint8Array(100);
        const reading = await spawn(() => read(target));
        await sleep(0.001);
        structuredClone(target, { transfer: [target.buffer] });
        await a.sendall('data');
        await reading.wait();
        expect(String(reading.exception)).toMatch(/^TypeError: .*into has been transferred elsewhere/);
        expect(String(await b.asStream().read())).toBe('data');
      }
      const target = new Uint8Array(100);
      const reading = await spawn(() => b.asStream().readinto(target));
      await sleep(0.001);
      structuredClone(target, { transfer: [target.buffer] });
      await reading.cancel();
      expect(reading.exception).toBeInstanceOf(CancelledError);
      await a.close();
      await b.close();
    }));
});
