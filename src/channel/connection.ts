/*
 * Two ends that send each other messages: objects, or bytes. How messages become bytes on a stream is in framing.ts and
 * codec.ts, what a port does with them in port.ts; here is what tasks see of it.
 */

import { blocksAreAwaited } from '../base/awaited.ts';
import { describe } from '../base/callable.ts';
import { ConnectionError } from '../errors.ts';
import { bytesOf, type Data, memoryOf } from '../io/attempts.ts';
import { attach, systemError } from '../io/system.ts';
import { Lock } from '../sync/lock.ts';
import { enterComposite, fail, handled, refuse, refused } from '../traps.ts';
import {
  type Digest,
  digestNamed,
  greetClient,
  greetServer,
  keyOf,
  LONGEST_STEP,
  type Party,
} from './authentication.ts';
import { type CodecName, codecNamed } from './codec.ts';
import { Framing, type MessageReader, type MessageWriter } from './framing.ts';
import { type Port, PortTransport } from './port.ts';
import { StreamTransport, type Transport } from './transport.ts';

/** Options of `new Connection()`. */
export interface ConnectionOptions {
  /** How objects travel. Default `'structured'`. */
  codec?: CodecName | undefined;
  /** No message that is received may have more bytes. Default 1 GiB. */
  maxMessageSize?: number | undefined;
}

/** Options of `authenticateServer()` and `authenticateClient()`. */
export interface AuthenticationOptions {
  /** The digest the peer must show the key with. Default `'md5'`, which every Python knows; the others need Python 3.12. */
  digest?: Digest | undefined;
}

const DEFAULT_SIZE = 2 ** 30;

/**
 * Sends and receives messages. Several tasks may use it at once: each message stays in one piece, and who has waited longest
 * goes first. `await using connection = …` closes it at the end of the block.
 *
 * The bytes on the stream are those of Python's `multiprocessing.connection`; `sendBytes` and `recvBytes` talk to it, and with
 * the codec `'json'` also `send` and `recv`, if Python sends JSON as bytes.
 *
 * @see Reference manual, "Message Passing and Channels"
 * @example
 * const connection = new Connection(stream, stream);
 * await connection.send({ any: ['object'] });
 * const reply = await connection.recv();
 */
export class Connection implements AsyncDisposable {
  static {
    blocksAreAwaited(this, 'A connection closes');
  }

  readonly #transport: Transport;
  readonly #maxMessageSize: number;
  readonly #sending = new Lock();
  readonly #receiving = new Lock();
  #fault: Error | null = null;

  /**
   * @param reader what to read from, such as a `SocketStream` or `FileStream`; from now on this object's
   * @param writer what to write to; may be the same
   */
  constructor(reader: MessageReader, writer: MessageWriter, options?: ConnectionOptions);
  /** @internal */
  constructor(transport: Transport, unused: null, options?: ConnectionOptions);
  constructor(
    first: MessageReader | Transport,
    second: MessageWriter | null,
    options: ConnectionOptions = {},
  ) {
    const { codec = 'structured', maxMessageSize = DEFAULT_SIZE } = options;
    this.#maxMessageSize = sizeOf(maxMessageSize, 'maxMessageSize', 'Connection()');
    if (first instanceof PortTransport) this.#transport = first;
    else {
      const framing = new Framing(readerOf(first), writerOf(second));
      this.#transport = new StreamTransport(framing, codecNamed(codec, 'Connection()'));
    }
  }

  /**
   * A connection over one of Node's own: a `MessagePort`, as `parentPort` of a worker thread is one, a child process with an IPC
   * channel, or the `process` that is one. What is sent arrives there as a message, and the other way round. From now on the messages are this
   * object's, and closing it closes the port or disconnects the process.
   *
   * @throws TypeError for what is none
   * @example
   * const { port1, port2 } = new MessageChannel();
   * new Worker(workerFile, { workerData: port2, transferList: [port2] });
   * const connection = Connection.from(port1);
   */
  static from(port: Port, options: Pick<ConnectionOptions, 'maxMessageSize'> = {}): Connection {
    return new Connection(new PortTransport(port), null, options);
  }

  // ---- Objects ----

  /**
   * Sends an object. Blocks while there is no room, or another task is sending.
   *
   * **Cancellation:** either nothing has been sent, or only a part of the message: then the connection says of itself that it is
   * broken, and sends no more.
   * @throws an Error for what cannot be sent, a function say; nothing has been sent then
   * @throws ConnectionError on a broken connection
   * @see Reference manual, "Message Passing and Channels"
   */
  send(value: unknown): Promise<void> {
    const task = enterComposite('Connection.send()');
    if (task === null) return refused('Connection.send()');
    let message: unknown;
    try {
      message = this.#transport.pack(value);
    } catch (error) {
      // swallows: nothing; operations reject.
      return fail(task, error);
    }
    return handled(this.#put(message));
  }

  /**
   * Receives an object. Blocks until it is there.
   *
   * **Cancellation:** nothing has been received; the next call receives the same message.
   * @throws EOFError at the end of input; its `bytesRead` is what had come of a message
   * @throws an Error with the code EBADMSG for a message that does not decode, which has been received then
   * @throws an Error with the code EMSGSIZE for one longer than `maxMessageSize`, which has not been received
   * @throws ConnectionError on a broken connection
   * @see Reference manual, "Message Passing and Channels"
   */
  recv<T = unknown>(): Promise<T> {
    if (enterComposite('Connection.recv()') === null) return refused('Connection.recv()');
    return handled(this.#recv()) as Promise<T>;
  }

  async #recv(): Promise<unknown> {
    return this.#transport.unpack(await this.#take(this.#maxMessageSize));
  }

  // ---- Bytes ----

  /**
   * Sends bytes as one message, and gives their number. Blocks while there is no room, or another task is sending.
   *
   * **Cancellation:** as for `send()`.
   * @param buf bytes, or a string, which is sent as UTF-8
   * @param offset where to begin, in bytes
   * @param size how many bytes; all there are if it is left out
   * @throws RangeError if offset or size is negative, or lies beyond the end
   * @throws ConnectionError on a broken connection
   * @see Reference manual, "Message Passing and Channels"
   */
  sendBytes(buf: Data, offset = 0, size?: number | null): Promise<number> {
    const bytes = bytesOf(buf, 'sendBytes()');
    whole(offset, 'offset', 'sendBytes()');
    const length = size == null ? bytes.length - offset : whole(size, 'size', 'sendBytes()');
    if (enterComposite('Connection.sendBytes()') === null) return refused('Connection.sendBytes()');
    if (offset < 0) return refuse(new RangeError(`sendBytes(): the offset is negative: ${offset}.`));
    if (offset > bytes.length)
      return refuse(
        new RangeError(`sendBytes(): the offset ${offset} is beyond the buffer of ${bytes.length} bytes.`),
      );
    if (length < 0) return refuse(new RangeError(`sendBytes(): the size is negative: ${length}.`));
    if (offset + length > bytes.length)
      return refuse(
        new RangeError(
          `sendBytes(): offset plus size, ${offset} + ${length}, is beyond the buffer of ${bytes.length} bytes.`,
        ),
      );
    return handled(this.#sendBytes(bytes.subarray(offset, offset + length)));
  }

  async #sendBytes(bytes: Uint8Array): Promise<number> {
    await this.#put(this.#transport.packBytes(bytes));
    return bytes.length;
  }

  /**
   * Receives a message as bytes. Blocks until it is there.
   *
   * **Cancellation:** nothing has been received; the next call receives the same message.
   * @param maxLength the most bytes to receive; a longer message has not been received, and can be with another call
   * @throws EOFError at the end of input; its `bytesRead` is what had come of a message
   * @throws an Error with the code EMSGSIZE for a message longer than `maxLength` or `maxMessageSize`
   * @throws ConnectionError on a broken connection
   * @see Reference manual, "Message Passing and Channels"
   */
  recvBytes(maxLength?: number | { readonly maxLength?: number | null } | null): Promise<Buffer> {
    const wanted = typeof maxLength === 'object' ? (maxLength?.maxLength ?? null) : (maxLength ?? null);
    const limit = wanted === null ? Number.POSITIVE_INFINITY : sizeOf(wanted, 'maxLength', 'recvBytes()');
    if (enterComposite('Connection.recvBytes()') === null) return refused('Connection.recvBytes()');
    return handled(this.#recvBytes(Math.min(limit, this.#maxMessageSize)));
  }

  async #recvBytes(limit: number): Promise<Buffer> {
    return this.#transport.unpackBytes(await this.#take(limit));
  }

  /**
   * Receives a message into `buf`, and gives the number of its bytes. Blocks until it is there.
   *
   * **Cancellation:** nothing has been received; the next call receives the same message.
   * @param offset where in `buf` to begin, in bytes
   * @throws an Error with the code EMSGSIZE if there is too little room; the message has been received then, and is its `bytesRead`
   * @throws RangeError for an offset that is negative or beyond the end
   * @throws EOFError at the end of input; its `bytesRead` is what had come of a message
   * @throws ConnectionError on a broken connection
   * @see Reference manual, "Message Passing and Channels"
   */
  recvBytesInto(buf: ArrayBufferView | ArrayBufferLike, offset = 0): Promise<number> {
    const target = memoryOf(buf, 'recvBytesInto()');
    whole(offset, 'offset', 'recvBytesInto()');
    if (enterComposite('Connection.recvBytesInto()') === null) return refused('Connection.recvBytesInto()');
    if (offset < 0 || offset > target.length)
      return refuse(
        new RangeError(
          `recvBytesInto(): the offset ${offset} is not within the buffer of ${target.length} bytes.`,
        ),
      );
    return handled(this.#recvInto(target.subarray(offset)));
  }

  async #recvInto(target: Uint8Array): Promise<number> {
    const message = await this.#recvBytes(this.#maxMessageSize);
    if (message.length > target.length) {
      const error = systemError('EMSGSIZE', 'recv');
      error.message += `: a message of ${message.length} bytes, and room for ${target.length}`;
      attach(error, 'bytesRead', message);
      throw error;
    }
    target.set(message);
    return message.length;
  }

  // ---- Authentication ----

  /**
   * Lets the peer, which called, show that it has the key, and shows it in turn. To be done before anything else. Blocks.
   *
   * **Cancellation:** the connection is of no use any more; neither is it after any other failure.
   * @throws AuthenticationError if the peer does not have the key
   * @see Reference manual, "Message Passing and Channels"
   */
  authenticateServer(authkey: string | Uint8Array, options: AuthenticationOptions = {}): Promise<void> {
    return this.#authenticate(greetClient, authkey, options, 'authenticateServer()');
  }

  /**
   * Shows the peer, which was called, that this end has the key, and lets it show so in turn. To be done before anything else. Blocks.
   *
   * **Cancellation:** the connection is of no use any more; neither is it after any other failure.
   * @throws AuthenticationError if the peer does not have the key
   * @see Reference manual, "Message Passing and Channels"
   */
  authenticateClient(authkey: string | Uint8Array, options: AuthenticationOptions = {}): Promise<void> {
    return this.#authenticate(greetServer, authkey, options, 'authenticateClient()');
  }

  #authenticate(
    greet: (party: Party, key: Buffer, digest: Digest) => Promise<void>,
    authkey: unknown,
    { digest = 'md5' }: AuthenticationOptions,
    who: string,
  ): Promise<void> {
    const key = keyOf(authkey, who);
    const digestName = digestNamed(digest, who);
    if (enterComposite(`Connection.${who}`) === null) return refused(`Connection.${who}`);
    return handled(this.#greet((party) => greet(party, key, digestName)));
  }

  async #greet(greet: (party: Party) => Promise<void>): Promise<void> {
    const transport = this.#transport;
    try {
      await greet({
        put: (message) => this.#put(transport.packBytes(message)),
        take: async () => transport.unpackBytes(await this.#take(LONGEST_STEP)),
      });
    } catch (error) {
      this.#fault ??= new Error('its authentication has failed', { cause: error });
      throw error;
    }
  }

  // ---- What they are made of ----

  async #put(message: unknown): Promise<void> {
    const guard = await this.#sending.acquire();
    try {
      this.#mustBeSound();
      await this.#transport.put(message);
    } finally {
      guard.release();
    }
  }

  async #take(limit: number): Promise<unknown> {
    const guard = await this.#receiving.acquire();
    try {
      this.#mustBeSound();
      return await this.#transport.take(limit);
    } finally {
      guard.release();
    }
  }

  #mustBeSound(): void {
    if (this.#fault === null) return;
    throw new ConnectionError(`This connection cannot be used: ${this.#fault.message}. Close it.`, {
      cause: this.#fault,
    });
  }

  /**
   * Closes the connection, with what is under it. Tasks that wait in it are woken with an error; closing twice is harmless. Blocks only as
   * closing what is under it does.
   *
   * **Cancellation:** the connection is closed.
   * @see Reference manual, "Message Passing and Channels"
   */
  close(): Promise<void> {
    if (enterComposite('Connection.close()') === null) return refused('Connection.close()');
    return handled(this.#transport.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function readerOf(reader: unknown): MessageReader {
  if (typeof (reader as Partial<MessageReader> | null)?.readExactly === 'function')
    return reader as MessageReader;
  throw new TypeError(
    `Connection() wants a stream with readExactly() as reader, such as sock.asStream(), not ${describe(reader)}.`,
  );
}

function writerOf(writer: unknown): MessageWriter {
  if (typeof (writer as Partial<MessageWriter> | null)?.write === 'function') return writer as MessageWriter;
  throw new TypeError(
    `Connection() wants a stream with write() as writer, such as sock.asStream(), not ${describe(writer)}.`,
  );
}

/** @throws TypeError for what is no whole number */
function whole(value: unknown, what: string, who: string): number {
  if (Number.isInteger(value)) return value as number;
  throw new TypeError(`${who} wants a whole number as ${what}, not ${describe(value)}.`);
}

/** @throws TypeError for what is no number of bytes */
export function sizeOf(value: unknown, what: string, who: string): number {
  if (value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && (value as number) >= 0))
    return value as number;
  throw new TypeError(`${who} wants a number of bytes as ${what}, not ${describe(value)}.`);
}
