/*
 * One of Node's own connections as what carries messages: a MessagePort, or the IPC channel of a child process. Node keeps the
 * messages whole and clones the objects; there are no streams here and no codec.
 */

import type { ChildProcess } from 'node:child_process';
import type { MessagePort } from 'node:worker_threads';
import { describe } from '../base/callable.ts';
import { EOFError } from '../errors.ts';
import { HeldSlot } from '../io/held.ts';
import { closedError } from '../io/system.ts';
import { begin, block, enter, outsideTasks, pass, refused } from '../traps.ts';
import { undecodable } from './codec.ts';
import { tooLong } from './framing.ts';
import type { Transport } from './transport.ts';

/** What `Connection.from()` takes. */
export type Port = MessagePort | ChildProcess | NodeJS.Process;

type Ipc = Pick<ChildProcess, 'send' | 'disconnect' | 'connected' | 'channel'> & NodeJS.EventEmitter;

/** What a message that Node could not make out leaves in its place. */
class Garbled {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

export class PortTransport implements Transport {
  readonly #port: MessagePort | null;
  readonly #ipc: Ipc | null;
  readonly #arrived: unknown[] = [];
  readonly #reader = new HeldSlot();
  readonly #writer = new HeldSlot();
  #ended = false;
  #closed = false;

  /** @throws TypeError for what is no port */
  constructor(port: unknown) {
    this.#port = isPort(port) ? port : null;
    this.#ipc = isIpc(port) ? port : null;
    if (this.#port === null && this.#ipc === null)
      throw new TypeError(
        `Connection.from() wants a MessagePort, or a process with an IPC channel, not ${describe(port)}.`,
      );
    outsideTasks(() => this.#listen());
  }

  #listen(): void {
    const arrived = (message: unknown) => {
      this.#arrived.push(message);
      this.#reader.wake();
    };
    const ended = () => {
      this.#ended = true;
      this.#reader.wake();
      this.#writer.fail(closedError('write'));
    };
    const port = this.#port;
    if (port !== null) {
      port.on('message', arrived);
      port.on('messageerror', (error) => arrived(new Garbled(error)));
      port.on('close', ended);
      // Who waits keeps this process alive himself.
      port.unref();
      return;
    }
    const ipc = this.#ipc as Ipc;
    ipc.on('message', arrived);
    ipc.on('disconnect', ended);
    ipc.channel?.unref();
    this.#ended = !ipc.connected;
  }

  pack(value: unknown): unknown {
    return value;
  }

  /** A copy of its own: Node would clone all of the memory that a Buffer is a part of. */
  packBytes(bytes: Uint8Array): Uint8Array {
    const copy = new Uint8Array(bytes);
    return this.#ipc === null ? copy : Buffer.from(copy.buffer);
  }

  put(message: unknown): Promise<void> {
    const task = enter();
    if (task === null) return refused('Connection.send()');
    if (this.#closed || this.#ended) return Promise.reject(closedError('write'));
    if (this.#port !== null) {
      this.#port.postMessage(message);
      return pass(task, undefined);
    }
    const refusal = begin(task, 'Connection.send()');
    if (refusal !== null) return refusal;
    (this.#ipc as Ipc).send(message as object, (error) => {
      if (error === null) this.#writer.wake();
      else this.#writer.fail(error);
    });
    return block(task, 'WRITE_WAIT', this.#writer);
  }

  async take(limit: number): Promise<unknown> {
    while (this.#arrived.length === 0) await this.#wait();
    const [message] = this.#arrived;
    const size = bytesIn(message)?.length ?? 0;
    if (size > limit) throw tooLong(size, limit);
    this.#arrived.shift();
    if (message instanceof Garbled)
      throw undecodable(Buffer.alloc(0), 'an object of this process', message.cause);
    return message;
  }

  #wait(): Promise<void> {
    const task = enter();
    if (task === null) return refused('Connection.recv()');
    if (this.#closed) throw closedError('read');
    if (this.#ended) throw new EOFError('The other end of the connection has been closed.');
    return begin(task, 'Connection.recv()') ?? block(task, 'READ_WAIT', this.#reader);
  }

  unpack(message: unknown): unknown {
    return message;
  }

  unpackBytes(message: unknown): Buffer {
    const bytes = bytesIn(message);
    if (bytes === null) throw undecodable(Buffer.alloc(0), `bytes, but ${describe(message)}`);
    return bytes;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.fail(closedError('read'));
    this.#writer.fail(closedError('write'));
    this.#port?.close();
    if (this.#ipc?.connected) this.#ipc.disconnect();
  }
}

/** The bytes that a message is; null if it is something else. */
function bytesIn(message: unknown): Buffer | null {
  if (message instanceof Uint8Array)
    return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  // What JSON, the usual form between processes, makes of a Buffer.
  const { type, data } = (message ?? {}) as { type?: unknown; data?: unknown };
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data) : null;
}

function has(object: unknown, ...names: string[]): boolean {
  return (
    typeof object === 'object' &&
    object !== null &&
    names.every((name) => typeof (object as Record<string, unknown>)[name] === 'function')
  );
}

function isPort(object: unknown): object is MessagePort {
  return has(object, 'postMessage', 'close', 'on', 'unref');
}

function isIpc(object: unknown): object is Ipc {
  return has(object, 'send', 'disconnect', 'on');
}
