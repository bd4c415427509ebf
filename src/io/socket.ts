/*
 * Sockets as tasks use them. `recv` and its kin are the seeds' loop: try; if it would
 * block, wait until ready; again. The loop is in slot.ts, the tries are in attempts.ts, and
 * what a try does is the driver's business.
 */

import { blocksAreAwaited } from '../base/awaited.ts';
import { printedAsText } from '../base/printing.ts';
import { RuntimeError } from '../errors.ts';
import type { Readiness } from '../readiness.ts';
import { admitComposite, enter, enterComposite, fail, handled, pass, refuse, refused } from '../traps.ts';
import { type Address, endpoint, literalEndpoint } from './address.ts';
import {
  ancillaryOf,
  bytesOf,
  checkCount,
  checkInt,
  type Data,
  memoryOf,
  piecesOf,
  tryHandshake,
  tryRecv,
  tryRecvfrom,
  tryRecvfromInto,
  tryRecvInto,
  tryRecvIntoNothing,
  tryRecvmsg,
  tryRecvmsgInto,
  tryRecvNothing,
  tryRecvWithFlags,
  trySend,
  trySendmsg,
  trySendto,
} from './attempts.ts';
import { Blocking } from './blocking.ts';
import { connectTo, errorNumber } from './connecting.ts';
import type { Ancillary, BlockingSocket, Handle } from './driver.ts';
import { FileStream } from './file-stream.ts';
import { type NodeSocket, socketHandle } from './handles.ts';
import { needsLookup, resolved } from './names.ts';
import { getOption, setOption } from './options.ts';
import { sendAll } from './sending.ts';
import { reading, writing } from './slot.ts';
import { SocketStream } from './socket-stream.ts';
import { closedError } from './system.ts';

const EMPTY = Buffer.alloc(0);
const RECV = 'Socket.recv()';
const SENDALL = 'Socket.sendall()';
const ACCEPT = 'Socket.accept()';
const CONNECT = 'Socket.connect()';

const tryAccept = (handle: Handle): [Socket, Address] | null => {
  const accepted = handle.accept();
  return accepted === null ? null : [new Socket(accepted[0]), accepted[1] as Address];
};

/**
 * A socket whose operations block the calling task only. Names, options, `bind` and `listen` are plain
 * synchronous methods, as in the socket API.
 *
 * `await using sock = socket()` closes it at the end of the block.
 *
 * @see Reference manual, "Socket"
 * @example
 * await using client = socket(AF_INET, SOCK_STREAM);
 * await client.connect(['localhost', 25000]);
 * await client.sendall('Hello');
 * const reply = await client.recv(100);
 */
export class Socket implements AsyncDisposable {
  static {
    printedAsText(this);
    blocksAreAwaited(this, 'A socket closes');
  }

  #handle: Handle;
  #stream: SocketStream | null = null;

  /**
   * @param sockobj a descriptor or one of Node's `net.Socket`, `tls.TLSSocket`, `net.Server`, `dgram.Socket`, which from now on is this object's
   * @throws NotSupportedError on the portable driver, for a descriptor
   */
  constructor(sockobj: number | NodeSocket);
  /** @internal */
  constructor(sockobj: Handle);
  constructor(sockobj: number | NodeSocket | Handle) {
    this.#handle = socketHandle(sockobj);
  }

  // ---- Receiving ----

  /**
   * Receives up to `maxbytes`; an empty buffer at the end of input. Blocks (`READ_WAIT`) while nothing is there. `recv(0)` does not:
   * it gives an empty buffer.
   *
   * **Cancellation:** nothing has been received, and what comes later goes to the next `recv`.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Socket"
   */
  recv(maxbytes: number, flags = 0): Promise<Buffer> {
    if (typeof maxbytes !== 'number' || !(maxbytes >= 0 && maxbytes % 1 === 0))
      checkCount(maxbytes, 'maxbytes', RECV);
    if (flags !== 0) checkInt(flags, 'flags', RECV);
    const attempt = maxbytes === 0 ? tryRecvNothing : flags === 0 ? tryRecv : tryRecvWithFlags;
    return reading(this.#handle, RECV, attempt, maxbytes, flags, undefined, flags !== 0);
  }

  /**
   * Receives into `buffer`, at most `nbytes` (0: as many as fit), and gives their number; 0 at the end of input, and at once if nothing
   * fits. Blocks (`READ_WAIT`).
   *
   * **Cancellation:** nothing has been received.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Socket"
   */
  recvInto(buffer: ArrayBufferView | ArrayBufferLike, nbytes = 0, flags = 0): Promise<number> {
    const operation = 'Socket.recvInto()';
    const target = room(buffer, nbytes, operation);
    if (flags !== 0) checkInt(flags, 'flags', operation);
    const attempt = target.length === 0 ? tryRecvIntoNothing : tryRecvInto;
    return reading(this.#handle, operation, attempt, target, flags, undefined, flags !== 0);
  }

  /**
   * Receives up to `maxsize` bytes, and gives them with the sender's address. Blocks (`READ_WAIT`).
   *
   * **Cancellation:** nothing has been received.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Socket"
   */
  recvfrom(maxsize: number, flags = 0): Promise<[data: Buffer, address: Address]> {
    checkCount(maxsize, 'maxsize', 'Socket.recvfrom()');
    checkInt(flags, 'flags', 'Socket.recvfrom()');
    const result = reading(this.#handle, 'Socket.recvfrom()', tryRecvfrom, maxsize, flags, undefined);
    return result as Promise<[Buffer, Address]>;
  }

  /**
   * Receives into `buffer`, and gives the number of bytes with the sender's address. Blocks (`READ_WAIT`).
   *
   * **Cancellation:** nothing has been received.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Socket"
   */
  recvfromInto(
    buffer: ArrayBufferView | ArrayBufferLike,
    nbytes = 0,
    flags = 0,
  ): Promise<[bytes: number, address: Address]> {
    const target = room(buffer, nbytes, 'Socket.recvfromInto()');
    checkInt(flags, 'flags', 'Socket.recvfromInto()');
    const result = reading(this.#handle, 'Socket.recvfromInto()', tryRecvfromInto, target, flags, undefined);
    return result as Promise<[number, Address]>;
  }

  /**
   * Receives up to `bufsize` bytes and `ancbufsize` bytes of ancillary data (see `CMSG_SPACE`). Blocks (`READ_WAIT`).
   *
   * **Cancellation:** nothing has been received.
   * @throws ReadResourceBusy if another task is reading
   * @throws NotSupportedError on the portable driver
   * @see Reference manual, "Socket"
   */
  recvmsg(
    bufsize: number,
    ancbufsize = 0,
    flags = 0,
  ): Promise<[data: Buffer, ancdata: Ancillary<Buffer>[], flags: number, address: Address | null]> {
    checkCount(bufsize, 'bufsize', 'Socket.recvmsg()');
    checkCount(ancbufsize, 'ancbufsize', 'Socket.recvmsg()');
    checkInt(flags, 'flags', 'Socket.recvmsg()');
    return reading(this.#handle, 'Socket.recvmsg()', tryRecvmsg, bufsize, ancbufsize, flags, true);
  }

  /**
   * Receives into several buffers, one after the other, and ancillary data. Blocks (`READ_WAIT`).
   *
   * **Cancellation:** nothing has been received.
   * @throws ReadResourceBusy if another task is reading
   * @throws NotSupportedError on the portable driver
   * @see Reference manual, "Socket"
   */
  recvmsgInto(
    buffers: readonly (ArrayBufferView | ArrayBufferLike)[],
    ancbufsize = 0,
    flags = 0,
  ): Promise<[bytes: number, ancdata: Ancillary<Buffer>[], flags: number, address: Address | null]> {
    const targets = [...buffers].map((buffer) => memoryOf(buffer, 'Socket.recvmsgInto()'));
    checkCount(ancbufsize, 'ancbufsize', 'Socket.recvmsgInto()');
    checkInt(flags, 'flags', 'Socket.recvmsgInto()');
    return reading(this.#handle, 'Socket.recvmsgInto()', tryRecvmsgInto, targets, ancbufsize, flags, true);
  }

  // ---- Sending ----

  /**
   * Sends as much of `data` as there is room for, and gives the number of bytes. Blocks (`WRITE_WAIT`) while there is none.
   *
   * **Cancellation:** nothing has been sent.
   * @throws WriteResourceBusy if another task is writing
   * @see Reference manual, "Socket"
   */
  send(data: Data, flags = 0): Promise<number> {
    const bytes = bytesOf(data, 'Socket.send()');
    if (flags !== 0) checkInt(flags, 'flags', 'Socket.send()');
    return writing(this.#handle, 'Socket.send()', trySend, bytes, flags, undefined);
  }

  /**
   * Sends all of `data`. Blocks (`WRITE_WAIT`) while there is no room for what is left.
   *
   * **Cancellation:** `bytesSent` of the exception is how many bytes the operating system has taken (on the portable driver:
   * Node has been given), and so how many the peer will receive.
   * @throws WriteResourceBusy if another task is writing
   * @see Reference manual, "Socket"
   */
  sendall(data: Data, flags = 0): Promise<void> {
    const bytes = bytesOf(data, SENDALL);
    if (flags !== 0) checkInt(flags, 'flags', SENDALL);
    return sendAll(this.#handle, SENDALL, bytes, flags, 'bytesSent', undefined);
  }

  /**
   * Sends `data` to an address, and gives the number of bytes. Blocks (`WRITE_WAIT`) while there is no room, and
   * (`FUTURE_WAIT`) while a host name is looked up.
   *
   * **Cancellation:** nothing has been sent.
   * @throws WriteResourceBusy if another task is writing
   * @see Reference manual, "Socket"
   */
  sendto(data: Data, address: Address): Promise<number>;
  sendto(data: Data, flags: number, address: Address): Promise<number>;
  sendto(data: Data, ...rest: [Address] | [number, Address]): Promise<number> {
    const operation = 'Socket.sendto()';
    const [flags, address] = rest.length === 1 ? [0, rest[0]] : rest;
    const bytes = bytesOf(data, operation);
    checkInt(flags, 'flags', operation);
    const handle = this.#handle;
    const to = endpoint(address, handle.family, operation);
    if (!needsLookup(to, handle.family)) {
      const known = literalEndpoint(address, handle.family, operation);
      return writing(handle, operation, trySendto, bytes, flags, known);
    }
    if (enterComposite(operation) === null) return refused(operation);
    return handled(
      resolved(to, handle.family).then((known) => writing(handle, operation, trySendto, bytes, flags, known)),
    );
  }

  /**
   * Sends the bytes of several buffers and ancillary data as one message, and gives the number of bytes. Blocks (`WRITE_WAIT`).
   *
   * **Cancellation:** nothing has been sent.
   * @param ancdata such as `[[SOL_SOCKET, SCM_RIGHTS, new Int32Array([fd])]]`
   * @throws WriteResourceBusy if another task is writing
   * @throws NotSupportedError on the portable driver
   * @see Reference manual, "Socket"
   */
  sendmsg(
    buffers: readonly Data[],
    ancdata: readonly Ancillary<Data>[] = [],
    flags = 0,
    address: Address | null = null,
  ): Promise<number> {
    const operation = 'Socket.sendmsg()';
    checkInt(flags, 'flags', operation);
    const to = address === null ? null : literalEndpoint(address, this.#handle.family, operation);
    const message = {
      buffers: piecesOf(buffers, operation),
      ancillary: ancillaryOf(ancdata, operation),
      to,
    };
    return writing(this.#handle, operation, trySendmsg, message, flags, undefined);
  }

  // ---- Connecting ----

  /**
   * Waits for a client, and gives its socket and address. Blocks (`READ_WAIT`) while nobody stands in line.
   *
   * **Cancellation:** no client has been accepted; one that comes stands in line.
   * @throws ReadResourceBusy if another task is accepting
   * @see Reference manual, "Socket"
   */
  accept(): Promise<[client: Socket, address: Address]> {
    return reading(this.#handle, ACCEPT, tryAccept, undefined, undefined, undefined);
  }

  /**
   * Connects to an address. Blocks (`WRITE_WAIT`) until the connection stands, and (`FUTURE_WAIT`) while a host name is looked up.
   *
   * **Cancellation:** the attempt may still be under way; close the socket.
   * @throws an Error with a code such as `ECONNREFUSED`
   * @throws WriteResourceBusy if another task is writing
   * @see Reference manual, "Socket"
   */
  connect(address: Address): Promise<void> {
    endpoint(address, this.#handle.family, CONNECT);
    if (enterComposite(CONNECT) === null) return refused(CONNECT);
    if (this.#handle.hasWriter) return this.#handle.writer.busy(CONNECT);
    return handled(connectTo(this.#handle, address, CONNECT));
  }

  /**
   * Connects like `connect`, and gives 0, or the positive number of the system's error. Blocks.
   *
   * **Cancellation:** as for `connect`.
   * @see Reference manual, "Socket"
   */
  connectEx(address: Address): Promise<number> {
    return handled(this.connect(address).then(() => 0, errorNumber));
  }

  /**
   * Binds the socket to a local address: `''` is every interface, port 0 any free port. Does not block, and so looks no names up but `localhost`.
   * On the portable driver binding happens later: `await ready()`.
   * @throws an Error with a code such as `EADDRINUSE`
   * @throws TypeError, RangeError for what is no address, or a name that would have to be looked up
   * @see Reference manual, "Socket"
   */
  bind(address: Address): void {
    this.#handle.bind(literalEndpoint(address, this.#handle.family, 'bind'));
  }

  /**
   * Begins to accept clients; up to `backlog` of them stand in line. Does not block.
   * @throws an Error with a code such as `EADDRINUSE`; on the portable driver `ready()` does
   * @see Reference manual, "Socket"
   */
  listen(backlog = 128): void {
    this.#handle.listen(checkCount(backlog, 'backlog', 'Socket.listen()'));
  }

  /**
   * Waits until `bind` and `listen` have taken place. On the posix driver they have, and it does not block;
   * on the portable one Node does it a little later (`FUTURE_WAIT`).
   *
   * **Cancellation:** the caller stops waiting; binding goes on.
   * @throws an Error with a code such as `EADDRINUSE`
   * @see Reference manual, "Socket"
   */
  ready(): Promise<void> {
    const task = admitComposite('Socket.ready()');
    if (task === null) return refused('Socket.ready()');
    if (this.#handle.closed) return refuse(closedError('bind'));
    return this.#handle.ready() ?? pass(task, undefined);
  }

  /**
   * Waits until the TLS handshake is done, on a TLS socket. Blocks (`WRITE_WAIT`). Reading or writing waits for it too.
   *
   * **Cancellation:** the handshake goes on.
   * @throws RuntimeError if this is no TLS socket
   * @see Reference manual, "Socket"
   */
  doHandshake(): Promise<void> {
    return writing(this.#handle, 'Socket.doHandshake()', tryHandshake, undefined, undefined, undefined);
  }

  /**
   * Shuts one half of the connection down, or both: `SHUT_RD`, `SHUT_WR`, `SHUT_RDWR`. Does not block.
   * @throws an Error with a code such as `ENOTCONN`; TypeError if `how` is no number
   * @see Reference manual, "Socket"
   */
  shutdown(how: number): Promise<void> {
    checkInt(how, 'SHUT_RD, SHUT_WR or SHUT_RDWR', 'Socket.shutdown()');
    const task = enter();
    if (task === null) return refused('Socket.shutdown()');
    try {
      this.#handle.shutdown(how);
    } catch (error) {
      // swallows: nothing; operations reject.
      return fail(task, error);
    }
    return pass(task, undefined);
  }

  /**
   * Closes the socket. Does not block. Tasks that wait in it are woken with an Error whose code is `EBADF`;
   * closing twice is harmless.
   * @see Reference manual, "Socket"
   */
  close(): Promise<void> {
    const task = enter();
    if (task === null) return refused('Socket.close()');
    this.#handle.close();
    return pass(task, undefined);
  }

  /** @internal `close()` for the library's own clean-up, wherever it runs. */
  closeNow(): void {
    this.#handle.close();
  }

  /** @internal From now on this object stands for another handle: the one that speaks TLS over its own. */
  become(handle: Handle): void {
    this.#handle = handle;
    this.#stream = null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- Names, options, the descriptor ----

  /**
   * The socket's own address. Does not block.
   * @throws an Error that says to `await ready()`, on the portable driver before it is bound
   * @see Reference manual, "Socket"
   */
  getsockname(): Address {
    return this.#handle.getsockname() as Address;
  }

  /**
   * The address of the other end. Does not block.
   * @throws an Error with the code `ENOTCONN` if there is none
   * @see Reference manual, "Socket"
   */
  getpeername(): Address {
    return this.#handle.getpeername();
  }

  /**
   * An option's value: a number, or with `size` that many bytes. Does not block.
   * @throws an Error with a code such as `ENOPROTOOPT`
   * @throws NotSupportedError on the portable driver, for what Node does not tell
   * @see Reference manual, "Socket"
   */
  getsockopt(level: number, name: number): number;
  getsockopt(level: number, name: number, size: number): Buffer;
  getsockopt(level: number, name: number, size = 0): number | Buffer {
    return getOption(this.#handle, level, name, size, 'Socket.getsockopt()');
  }

  /**
   * Sets an option, to a number, a truth value or bytes. Does not block.
   * @throws an Error with a code such as `ENOPROTOOPT`
   * @throws NotSupportedError on the portable driver, for what Node cannot set
   * @see Reference manual, "Socket"
   * @example
   * const sock = socket(AF_INET, SOCK_STREAM);
   * sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
   */
  setsockopt(level: number, name: number, value: number | boolean | Uint8Array): void {
    setOption(this.#handle, level, name, value, 'Socket.setsockopt()');
  }

  /**
   * The socket as a stream of bytes and lines, always the same one. Closing the stream closes the socket. Does not block.
   *
   * Beware: what the stream has read ahead is no longer in the socket.
   * @see Reference manual, "Socket"
   * @example
   * for await (const line of client.asStream()) console.log(String(line));
   */
  asStream(): SocketStream {
    this.#stream ??= new SocketStream(this.#handle);
    return this.#stream;
  }

  /** @internal What its stream has received and nobody has read: it is no longer in the stream then. */
  takeUnread(): Buffer {
    return this.#stream?.takeUnread() ?? EMPTY;
  }

  /**
   * The socket as a file stream; closing that leaves the socket open. Does not block. `asStream()` is what most programs want.
   * @param mode `'rb'`, `'wb'` or `'rwb'`
   * @throws RuntimeError for a text mode
   * @see Reference manual, "Socket"
   */
  makefile(mode: string, _buffering = 0): FileStream {
    if (!/^(?:r|w|rw|wr)b$|^(?:rb|wb|rbw|wbr)$/.test(mode)) {
      throw new RuntimeError(
        `Socket.makefile() gives binary streams: its mode is 'rb', 'wb' or 'rwb', not ${JSON.stringify(mode)}.`,
      );
    }
    return new FileStream(this.#handle, { keepOpen: true });
  }

  /**
   * The descriptor; -1 once the socket is closed. Does not block.
   * @throws NotSupportedError on the portable driver
   * @see Reference manual, "Socket"
   */
  fileno(): number {
    return this.#handle.fileno();
  }

  /**
   * Gives the descriptor away without closing it; this object is closed, and tasks that wait in it are woken with an Error whose
   * code is `EBADF`. Does not block.
   * @throws NotSupportedError on the portable driver
   * @see Reference manual, "Socket"
   */
  detach(): number {
    return this.#handle.detach();
  }

  /**
   * Another socket object for the same connection, with a descriptor of its own. Does not block.
   * @throws an Error with a code such as `EMFILE`
   * @throws NotSupportedError on the portable driver
   * @see Reference manual, "Socket"
   */
  dup(): Socket {
    return new Socket(this.#handle.dup());
  }

  /** `AF_INET`, `AF_INET6`, `AF_UNIX`, … */
  get family(): number {
    return this.#handle.family;
  }

  /** `SOCK_STREAM`, `SOCK_DGRAM`, … */
  get type(): number {
    return this.#handle.type;
  }

  /** The protocol's number; 0 for the usual one of the type. */
  get proto(): number {
    return this.#handle.proto;
  }

  /** Where tasks wait for this socket: what makes `readWait(sock)` work. */
  get readiness(): Readiness {
    return this.#handle;
  }

  /**
   * Is refused: a timeout belongs to the operation, not to the socket.
   * @throws RuntimeError always, with what to write instead
   * @see Reference manual, "Socket"
   */
  settimeout(_seconds: number | null): never {
    throw new RuntimeError(
      'A socket has no timeout of its own. Write timeoutAfter(seconds, () => sock.recv(1000)).',
    );
  }

  /**
   * Null: a socket has no timeout of its own. See `settimeout`.
   * @see Reference manual, "Socket"
   */
  gettimeout(): null {
    return null;
  }

  /**
   * The raw socket in blocking mode, for synchronous code; on the way out it no longer blocks. Meanwhile the socket's
   * own operations are refused as busy.
   *
   * Beware: a call of `raw` holds up every task of the thread.
   * @throws NotSupportedError on the portable driver
   * @throws ReadResourceBusy, WriteResourceBusy if a task waits here
   * @see Tutorial, "Blocking I/O"
   * @example
   * using b = client.blocking();
   * b.raw.sendall(data);
   */
  blocking(): Blocking<BlockingSocket>;
  blocking<T>(fn: (raw: BlockingSocket) => T | PromiseLike<T>): Promise<T>;
  blocking<T>(fn?: (raw: BlockingSocket) => T | PromiseLike<T>): Blocking<BlockingSocket> | Promise<T> {
    return Blocking.of(this.#handle, 'Socket.blocking()', fn);
  }

  toString(): string {
    return `Socket(family=${this.family}, type=${this.type}, fd=${this.#handle.closed ? 'closed' : 'open'})`;
  }
}

/** The part of a buffer to receive into. */
function room(buffer: unknown, nbytes: number, operation: string): Uint8Array {
  const memory = memoryOf(buffer, operation);
  checkCount(nbytes, 'nbytes', operation);
  if (nbytes > memory.length) {
    throw new RangeError(`${operation}: nbytes is ${nbytes}, but the buffer holds ${memory.length}.`);
  }
  return nbytes === 0 ? memory : memory.subarray(0, nbytes);
}
