/*
 * What a worker thread prints appears at once. By itself it would go through the event loops of two threads: nothing
 * while either is busy, and nothing of what is on its way when the thread is ended.
 */

import { writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** Writes all of it, also to a pipe that is full. */
function writeAll(fd: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; ) {
    try {
      at += writeSync(fd, chunk, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      // swallows: nobody reads any more (EPIPE), which is no reason for a worker to fail. No task of a kernel runs here.
      else return;
    }
  }
}

/** From now on `console` and `process.stdout` of this thread write at once. */
export function printAtOnce(): void {
  for (const [stream, fd] of [
    [process.stdout, 1],
    [process.stderr, 2],
  ] as const) {
    // The streams stay what they are: the other thread sends them messages.
    const output = stream as unknown as Writable;
    output._write = (chunk: string | Uint8Array, encoding, done) => {
      writeAll(fd, typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
      done();
    };
    output._writev = (chunks, done) => {
      for (const { chunk, encoding } of chunks as { chunk: string | Uint8Array; encoding: BufferEncoding }[])
        writeAll(fd, typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
      done();
    };
  }
}
