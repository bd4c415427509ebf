/*
 * Streams over pipes, terminals, devices and other programs' streams. What a stream does is in stream.ts.
 */

import type { Handle } from './driver.ts';
import { fileHandle, type NodeStreamLike } from './handles.ts';
import { Stream } from './stream.ts';

/**
 * A stream over a descriptor (pipe, terminal, device, regular file) or over a stream of Node's or of the web's.
 *
 * @see Reference manual, "Streams"
 * @example
 * await using input = new FileStream(process.stdin);
 * for await (const line of input) console.log(line.toString());
 */
export class FileStream extends Stream {
  /** @param fileobj from now on this object's; it is closed when the stream is */
  constructor(fileobj: number | NodeStreamLike);
  /** @internal */
  constructor(fileobj: Handle, options: { keepOpen: boolean });
  constructor(fileobj: unknown, { keepOpen = false }: { keepOpen?: boolean } = {}) {
    super(fileHandle(fileobj), keepOpen);
  }
}
