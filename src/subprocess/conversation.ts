/*
 * What `communicate()` does: writes all the input while reading all the output, so that neither side waits for the other. What
 * it has read is kept here, for the exception of one that is cut short.
 */

import { gather } from '../gather.ts';
import type { FileStream } from '../io/file-stream.ts';
import { attach } from '../io/system.ts';

const EMPTY = Buffer.alloc(0);

export class Conversation {
  readonly #stdin: FileStream | null;
  readonly #input: Uint8Array;
  readonly #stdout: FileStream | null;
  readonly #stderr: FileStream | null;
  readonly #read: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  #written = 0;

  constructor(
    stdin: FileStream | null,
    input: Uint8Array | null,
    stdout: FileStream | null,
    stderr: FileStream | null,
  ) {
    this.#input = input ?? EMPTY;
    // Input for a pipe that has been closed is an error; that it has been closed is none.
    this.#stdin = this.#input.length > 0 ? stdin : openOne(stdin);
    this.#stdout = openOne(stdout);
    this.#stderr = openOne(stderr);
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#read.stdout);
  }

  get stderr(): Buffer {
    return Buffer.concat(this.#read.stderr);
  }

  /** Writes and reads until there is no more to write or read, and closes each stream then. Blocks. */
  async run(): Promise<void> {
    const jobs: (() => Promise<void>)[] = [];
    const { stdout, stderr } = this.#read;
    if (this.#stdin !== null) {
      const stdin = this.#stdin;
      if (this.#input.length === 0) await stdin.close();
      else jobs.push(() => this.#feed(stdin));
    }
    for (const [stream, chunks] of [
      [this.#stdout, stdout],
      [this.#stderr, stderr],
    ] as const) {
      if (stream !== null) jobs.push(() => drain(stream, chunks));
    }
    const [first] = jobs;
    if (jobs.length === 1) await first?.();
    else if (jobs.length > 1) await gather(jobs);
  }

  /** Tells how far it has come when something cut it short. */
  describe(error: unknown): void {
    attach(error, 'stdout', this.stdout);
    attach(error, 'stderr', this.stderr);
    if (this.#input.length > 0) attach(error, 'bytesWritten', this.#written);
  }

  async #feed(stdin: FileStream): Promise<void> {
    try {
      await stdin.write(this.#input);
      this.#written = this.#input.length;
    } catch (error) {
      this.#written = (error as { bytesWritten?: number }).bytesWritten ?? 0;
      throw error;
    }
    await stdin.close();
  }
}

/** A pipe that has been closed is none any more. */
function openOne(stream: FileStream | null): FileStream | null {
  return stream === null || stream.readiness.closed ? null : stream;
}

async function drain(stream: FileStream, chunks: Buffer[]): Promise<void> {
  for (let chunk = await stream.read(); chunk.length > 0; chunk = await stream.read()) chunks.push(chunk);
  await stream.close();
}
