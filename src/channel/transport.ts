/*
 * What a connection needs of whatever carries its messages; and a stream of bytes as that. A message is packed before it
 * waits for its turn, so that what cannot be sent fails at once, and objects that change meanwhile arrive as they were.
 */

import type { Codec } from './codec.ts';
import type { Framing } from './framing.ts';

export interface Transport {
  /** @throws what cannot be sent */
  pack(value: unknown): unknown;
  packBytes(bytes: Uint8Array): unknown;
  /** Sends what was packed: all of it, or nothing, or it sends no more. */
  put(message: unknown): Promise<void>;
  /** The next message. One longer than `limit` is an error, and stays the next. */
  take(limit: number): Promise<unknown>;
  unpack(message: unknown): unknown;
  unpackBytes(message: unknown): Buffer;
  close(): Promise<void>;
}

export class StreamTransport implements Transport {
  readonly #framing: Framing;
  readonly #codec: Codec;

  constructor(framing: Framing, codec: Codec) {
    this.#framing = framing;
    this.#codec = codec;
  }

  pack(value: unknown): Uint8Array {
    return this.#codec.encode(value);
  }

  packBytes(bytes: Uint8Array): Uint8Array {
    return bytes;
  }

  put(message: unknown): Promise<void> {
    return this.#framing.send(message as Uint8Array);
  }

  take(limit: number): Promise<Buffer> {
    return this.#framing.receive(limit);
  }

  unpack(message: unknown): unknown {
    return this.#codec.decode(message as Buffer);
  }

  unpackBytes(message: unknown): Buffer {
    return message as Buffer;
  }

  close(): Promise<void> {
    return this.#framing.close();
  }
}
