/*
 * The place where two programs meet to exchange messages: one accepts, the other connects. What they then talk over is a
 * Connection.
 */

import { blocksAreAwaited } from '../base/awaited.ts';
import { describe } from '../base/callable.ts';
import { CancelledError, TaskTimeout } from '../errors.ts';
import { type Address, addressText, endpoint, literal, literalKind } from '../io/address.ts';
import { driver } from '../io/choice.ts';
import { AF_INET, AF_INET6, AF_UNIX, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET } from '../io/constants.ts';
import { lookup } from '../io/names.ts';
import { Socket } from '../io/socket.ts';
import { closedError, systemError } from '../io/system.ts';
import { timeoutAfter } from '../time.ts';
import {
  elsewhere,
  enter,
  enterComposite,
  handled,
  pass,
  refused,
  report,
  type TaskRecord,
} from '../traps.ts';
import type { Digest } from './authentication.ts';
import type { Connection, ConnectionOptions } from './connection.ts';
import { Reception } from './reception.ts';
import { connectionOver, type MeetingOptions, PATIENCE, type Terms, termsOf } from './terms.ts';

/** Options of `new Channel()`. */
export interface ChannelOptions extends ConnectionOptions {
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. Default: what the address looks like. */
  family?: number | undefined;
}

/**
 * A place to meet for two programs that exchange messages, on this machine or another; also for Python's
 * `multiprocessing.connection`. `await using channel = …` closes it at the end of the block.
 *
 * @see Reference manual, "Message Passing and Channels"
 * @example
 * const channel = new Channel(['localhost', 30000]);
 * const connection = await channel.accept({ authkey: 'peekaboo' });
 * await connection.send('hello');
 */
export class Channel implements AsyncDisposable {
  static {
    blocksAreAwaited(this, 'A channel closes');
  }

  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  readonly family: number;
  #address: Address;
  #socket: Socket | null = null;
  #closed = false;
  readonly #options: ConnectionOptions;
  readonly #reception = new Reception();

  /**
   * @param address `[host, port]`, or the path of a Unix socket; port 0 is any that is free
   * @throws TypeError for what is no address
   */
  constructor(address: Address, family?: number, options?: ConnectionOptions);
  constructor(address: Address, options?: ChannelOptions);
  constructor(address: Address, second?: number | ChannelOptions, third: ConnectionOptions = {}) {
    const options: ChannelOptions = typeof second === 'object' ? second : { ...third, family: second };
    this.family = options.family ?? familyOf(address);
    if (![AF_INET, AF_INET6, AF_UNIX].includes(this.family))
      throw new TypeError(
        `The family of a Channel is AF_INET, AF_INET6 or AF_UNIX, not ${describe(this.family)}. ` +
          "Host and port are one address: new Channel(['localhost', 9000]).",
      );
    endpoint(address, this.family, 'Channel()');
    this.#address = typeof address === 'string' || Buffer.isBuffer(address) ? address : [...address];
    this.#options = options;
    termsOf({}, options, 'Channel()');
    const there = elsewhere();
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    if (there !== null) return there.construct(new.target, [address, second, third]) as this;
  }

  /** Where to meet. After `bind()`, with the port that the system has chosen. */
  get address(): Address {
    return this.#address;
  }

  /**
   * Says whether a client may come in, by its address. Everybody may; to refuse some, override or replace this.
   */
  checkAddress(_address: Address): boolean | PromiseLike<boolean> {
    return true;
  }

  /**
   * Takes the address, so that clients can connect, and `address` has the port that the system has chosen. `accept()` does it, too, if it
   * has not been done. On the posix driver that has happened when this returns; on the portable one Node
   * does it a little later, so `await` it (`FUTURE_WAIT`).
   *
   * **Cancellation:** the caller stops waiting.
   * @throws an Error with a code such as `EADDRINUSE`
   * @see Reference manual, "Message Passing and Channels"
   */
  bind(): Promise<void> {
    this.#socket ??= this.#listen(this.#address);
    const task = enter();
    if (task === null) return Promise.resolve();
    return driver().name === 'posix' ? pass(task, undefined) : handled(this.#bound(this.#socket));
  }

  #listen(address: Address): Socket {
    if (this.#closed) throw closedError('bind');
    const sock = new Socket(driver().open(this.family, SOCK_STREAM, 0));
    try {
      if (this.family !== AF_UNIX) sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
      sock.bind(address);
      sock.listen(100);
      if (driver().name === 'posix') this.#address = sock.getsockname();
    } catch (error) {
      sock.closeNow();
      throw error;
    }
    return sock;
  }

  async #bound(sock: Socket): Promise<void> {
    try {
      await sock.ready();
      this.#address = sock.getsockname();
    } catch (error) {
      if (!(error instanceof CancelledError) && this.#socket === sock) {
        this.#socket = null;
        sock.closeNow();
      }
      throw error;
    }
  }

  /**
   * Waits for somebody to connect, and gives the connection. With an `authkey`, only for somebody who has the same: anybody else is
   * dropped with a warning, also who says nothing for a second. Blocks.
   *
   * **Cancellation:** nobody is lost; who has connected is there for the next call.
   * @throws an Error with a code such as `EADDRINUSE`
   * @throws ReadResourceBusy if another task is accepting
   * @see Reference manual, "Message Passing and Channels"
   */
  accept(options: MeetingOptions = {}): Promise<Connection> {
    const terms = termsOf(this.#options, options, 'accept()');
    const task = enterComposite('Channel.accept()');
    return task === null ? refused('Channel.accept()') : handled(this.#accept(task, terms));
  }

  async #accept(task: TaskRecord, terms: Terms): Promise<Connection> {
    await this.#ready();
    const sock = this.#socket;
    if (sock === null) throw closedError('accept');
    if (terms.key !== null) return this.#reception.welcome(task, terms, () => this.#admit(task, sock));
    const [client] = await this.#admit(task, sock);
    return connectionOver(client, terms);
  }

  async #ready(): Promise<void> {
    if (this.#socket === null && this.family !== AF_UNIX) {
      // bind() does not block, and so looks nothing up.
      const { host, port } = endpoint(this.#address, this.family, 'accept()');
      const known = literal(host as string, this.family) ?? (await lookup(host as string, this.family));
      this.#socket ??= this.#listen([known, port]);
    }
    await this.bind();
  }

  /** The next client that may come in. */
  async #admit(task: TaskRecord, sock: Socket): Promise<[client: Socket, address: Address]> {
    for (;;) {
      const [client, address] = await sock.accept();
      try {
        if (await this.checkAddress(address)) return [client, address];
      } catch (error) {
        client.closeNow();
        throw error;
      }
      client.closeNow();
      report(task, 'warn', `A channel has turned away a client from ${addressText(address)}.`);
    }
  }

  /**
   * Connects to who accepts at this address, and gives the connection. Blocks. It does not try again if nobody is there.
   *
   * **Cancellation:** nothing is left behind.
   * @throws AuthenticationError if the other end does not have the same key
   * @throws an Error with a code such as `ECONNREFUSED`; `ETIMEDOUT` if the other end has not shown its key within a second
   * @see Reference manual, "Message Passing and Channels"
   */
  connect(options: MeetingOptions = {}): Promise<Connection> {
    const terms = termsOf(this.#options, options, 'connect()');
    if (enterComposite('Channel.connect()') === null) return refused('Channel.connect()');
    return handled(this.#connect(terms));
  }

  async #connect(terms: Terms): Promise<Connection> {
    const address = this.#address;
    const sock = new Socket(driver().open(this.family, SOCK_STREAM, 0));
    try {
      await sock.connect(address);
      const connection = connectionOver(sock, terms);
      if (terms.key !== null) await showKey(connection, terms.key, terms.digest, address);
      return connection;
    } catch (error) {
      sock.closeNow();
      throw error;
    }
  }

  /**
   * Closes the place for good. Connections that were made here live on; a task that waits in `accept()` is woken with an Error whose code is
   * `EBADF`. Closing twice is harmless. Does not block.
   * @see Reference manual, "Message Passing and Channels"
   */
  close(): Promise<void> {
    const task = enter();
    if (task === null) return refused('Channel.close()');
    this.#closed = true;
    this.#socket?.closeNow();
    this.#socket = null;
    this.#reception.close();
    return pass(task, undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function familyOf(address: Address): number {
  if (!Array.isArray(address)) return AF_UNIX;
  return literalKind(String(address[0])) === 6 ? AF_INET6 : AF_INET;
}

async function showKey(connection: Connection, key: Buffer, digest: Digest, address: Address): Promise<void> {
  try {
    await timeoutAfter(PATIENCE, () => connection.authenticateClient(key, { digest }));
  } catch (error) {
    // The time is this handshake's own: a timeout around it that runs out is another exception.
    if (error instanceof TaskTimeout) throw tooSlow(address, error);
    throw error;
  }
}

function tooSlow(address: Address, cause: unknown): Error {
  const error = systemError('ETIMEDOUT', 'connect', address);
  error.message += `: the other end has not shown its key within ${PATIENCE} s. Does it accept with an authkey?`;
  error.cause = cause;
  return error;
}
