/*
 * Streams over sockets, which know what the socket is called and what its options are. What a stream does is in stream.ts.
 */

import type { Address } from './address.ts';
import type { Handle } from './driver.ts';
import { type NodeSocket, socketHandle } from './handles.ts';
import { getOption, setOption } from './options.ts';
import type { Socket } from './socket.ts';
import { Stream } from './stream.ts';

/**
 * A stream over a socket: what `Socket.asStream()` gives.
 *
 * @see Reference manual, "Streams"
 * @example
 * const stream = client.asStream();
 * for await (const line of stream) await stream.write(line);
 */
export class SocketStream extends Stream {
  readonly #handle: Handle;

  /** @param sockobj a socket, or what one can be made of; it is closed when the stream is */
  constructor(sockobj: Socket | number | NodeSocket);
  /** @internal */
  constructor(sockobj: Handle);
  constructor(sockobj: unknown) {
    const handle = socketHandle(sockobj);
    super(handle, false);
    this.#handle = handle;
  }

  /**
   * The socket's own address. Does not block.
   * @see Reference manual, "Streams"
   */
  getsockname(): Address {
    return this.#handle.getsockname() as Address;
  }

  /**
   * The address of the other end. Does not block.
   * @throws an Error with the code `ENOTCONN` if there is none
   * @see Reference manual, "Streams"
   */
  getpeername(): Address {
    return this.#handle.getpeername();
  }

  /**
   * An option's value, as `Socket.getsockopt()` gives it. Does not block.
   * @throws an Error with a code such as `ENOPROTOOPT`
   * @throws NotSupportedError on the portable driver, for what Node does not tell
   * @see Reference manual, "Streams"
   */
  getsockopt(level: number, name: number): number;
  getsockopt(level: number, name: number, size: number): Buffer;
  getsockopt(level: number, name: number, size = 0): number | Buffer {
    return getOption(this.#handle, level, name, size, 'SocketStream.getsockopt()');
  }

  /**
   * Sets an option, as `Socket.setsockopt()` does. Does not block.
   * @throws an Error with a code such as `ENOPROTOOPT`
   * @throws NotSupportedError on the portable driver, for what Node cannot set
   * @see Reference manual, "Streams"
   */
  setsockopt(level: number, name: number, value: number | boolean | Uint8Array): void {
    setOption(this.#handle, level, name, value, 'SocketStream.setsockopt()');
  }
}
