/*
 * The three standard streams of a process that is about to start: what Node is told of each, and what is left of it on
 * this side. On the posix driver a pipe is a real one, read and written directly; on the portable driver
 * Node makes it.
 */

import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { describe } from '../base/callable.ts';
import { RuntimeError } from '../errors.ts';
import { AsyncFile } from '../file/async-file.ts';
import { driver } from '../io/choice.ts';
import type { Handle } from '../io/driver.ts';
import { FileStream } from '../io/file-stream.ts';
import { closedError } from '../io/system.ts';
import { BrokenPipe } from './broken.ts';
import type { Exit } from './exit.ts';
import { DEVNULL, PIPE, type PopenOptions, STDOUT } from './options.ts';

const NAMES = ['stdin', 'stdout', 'stderr'] as const;
type Name = (typeof NAMES)[number];

const CHUNK = 65536;

/** The pipes of processes: given to another process, one is that process's own from then on. */
const pipes = new WeakSet<FileStream>();

/** One standard stream. */
interface Wire {
  /** For Node's `spawn()`. */
  node: 'inherit' | 'ignore' | 'pipe' | number | Readable | Writable;
  piped: boolean;
  /** The two ends of a pipe of our own. */
  theirs: number;
  ours: number;
  /** What the process reads of another one's pipe, where Node has already read some of it. */
  pumped: Pump | null;
  /** To be done once the process has its copy, or will not have one. */
  afterwards: () => void;
}

const wire = (node: Wire['node'], more: Partial<Wire> = {}): Wire => ({
  node,
  piped: false,
  theirs: -1,
  ours: -1,
  pumped: null,
  afterwards() {},
  ...more,
});

export class Wiring {
  readonly #wires: Wire[] = [];
  /** True if the process has to join standard error and output itself, because Node cannot give it one pipe for both. */
  merged = false;

  /**
   * @throws TypeError for what nothing can be redirected to
   * @throws an Error with a code such as `EMFILE`
   */
  constructor(options: PopenOptions, who: string) {
    try {
      for (const name of NAMES) this.#wires.push(this.#wire(name, options[name] ?? null, who));
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  get stdio(): Wire['node'][] {
    return this.#wires.map(({ node }) => node);
  }

  #wire(name: Name, target: unknown, who: string): Wire {
    if (target === null) return wire('inherit');
    if (target === PIPE) return this.#pipe(name);
    if (target === DEVNULL) return wire('ignore');
    if (target === STDOUT && name === 'stderr') return this.#likeStdout();
    if (typeof target === 'object') return given(target, name, who);
    if (typeof target === 'number' && Number.isInteger(target) && target >= 0) return wire(target);
    const choices = name === 'stderr' ? 'PIPE, DEVNULL, STDOUT' : 'PIPE, DEVNULL';
    throw new TypeError(
      `${who} wants ${choices}, a descriptor, or something that has one as ${name}, not ${describe(target)}.`,
    );
  }

  #pipe(name: Name): Wire {
    if (driver().name === 'portable') return wire('pipe', { piped: true });
    const [readEnd, writeEnd] = driver().pipe();
    const [theirs, ours] = name === 'stdin' ? [readEnd, writeEnd] : [writeEnd, readEnd];
    return wire(theirs, { piped: true, theirs, ours });
  }

  #likeStdout(): Wire {
    const { node } = this.#wires[1] as Wire;
    if (node === 'inherit') return wire(1);
    if (node !== 'pipe') return wire(node);
    this.merged = true;
    return wire('ignore');
  }

  /** The process has started: the ends that are ours. */
  connect(child: ChildProcess): (FileStream | null)[] {
    const streams = this.#wires.map(({ piped, ours, pumped }, i) => {
      pumped?.start(child.stdin as Writable);
      if (!piped) return null;
      const stream = new FileStream(ours >= 0 ? ours : (child.stdio[i] as Readable | Writable));
      pipes.add(stream);
      // Else Node would throw away what nobody has asked for by the time the process ends.
      if (ours < 0 && i > 0) stream.readiness.arm('reader');
      return stream;
    });
    for (const each of this.#wires) {
      each.ours = -1;
      each.pumped = null;
    }
    this.abandon();
    return streams;
  }

  /** Closes what is not or no longer needed here. */
  abandon(): void {
    for (const each of this.#wires.splice(0)) {
      for (const fd of [each.theirs, each.ours]) if (fd >= 0) driver().closeEnd(fd);
      each.pumped?.stop();
      each.afterwards();
    }
  }
}

/** The pipes of a process that does not start: whoever uses one is told why. */
export function brokenPipes(
  options: PopenOptions,
  exit: Exit,
): { streams: (FileStream | null)[]; tell(error: Error): void } {
  const broken = NAMES.map((name) => (options[name] === PIPE ? new BrokenPipe(exit) : null));
  return {
    streams: broken.map((pipe) => (pipe === null ? null : new FileStream(pipe, { keepOpen: false }))),
    tell(error) {
      exit.failed(error);
      for (const pipe of broken) pipe?.tell();
    },
  };
}

/** Something of the user's that has a descriptor. */
function given(target: object, name: Name, who: string): Wire {
  if (target instanceof FileStream) {
    if (target.unread > 0)
      throw new RuntimeError(
        `${who}: there are ${target.unread} bytes in the stream given as ${name} that have been received and not been read. ` +
          'The process would not get them: read them first.',
      );
    if (pipes.has(target)) return handedOver(target, name);
  }
  if (target instanceof AsyncFile) target.handOver(`${who}, ${name}`);
  const { fileno, fd } = target as { fileno?: unknown; fd?: unknown };
  const number = typeof fileno === 'function' ? (target as { fileno(): number }).fileno() : fd;
  if (typeof number === 'number') {
    if (number >= 0) return wire(number);
    const error = closedError('spawn');
    error.message += `, and cannot be the ${name} of a process`;
    throw error;
  }
  if (fd === null)
    throw new TypeError(
      `${who} was given ${describe(target)} as ${name}, which is not open yet: wait for its 'open' event.`,
    );
  // What Node makes of it: it says so if there is no descriptor underneath.
  if (typeof (target as Partial<Readable>).pipe === 'function') return wire(target as Readable);
  throw new TypeError(`${who} was given ${describe(target)} as ${name}, which has no descriptor.`);
}

/**
 * The pipe of another process. It is closed here, or the one who writes would never learn that the one who
 * reads has gone.
 */
function handedOver(stream: FileStream, name: Name): Wire {
  const { readiness } = stream;
  if (readiness.closed) throw closedError('spawn');
  if (driver().name === 'posix') return wire(readiness.fileno(), { afterwards: () => readiness.close() });
  const { begun, ended } = readAhead(readiness);
  const source: Readable = readiness.surrender();
  if (name !== 'stdin' || (begun.length === 0 && !ended && source.readableLength === 0))
    return wire(source, { afterwards: () => source.destroy() });
  return wire('pipe', { pumped: new Pump(source, begun, ended) });
}

/** What Node has read already without being asked. */
function readAhead(readiness: Handle): { begun: Buffer[]; ended: boolean } {
  const begun: Buffer[] = [];
  for (;;) {
    const chunk = readiness.recv(CHUNK, 0);
    if (chunk === null || chunk.length === 0) return { begun, ended: chunk !== null };
    begun.push(chunk);
  }
}

/** Carries from one process to another what cannot go straight. */
class Pump {
  readonly #source: Readable;
  readonly #begun: readonly Buffer[];
  readonly #ended: boolean;

  constructor(source: Readable, begun: readonly Buffer[], ended: boolean) {
    this.#source = source;
    this.#begun = begun;
    this.#ended = ended;
  }

  start(sink: Writable): void {
    // Each process learns from its own end of it that the other has gone.
    sink.on('error', () => this.stop());
    for (const chunk of this.#begun) sink.write(chunk);
    if (this.#ended) sink.end();
    else process.getBuiltinModule('node:stream').pipeline(this.#source, sink, () => {});
    for (const end of [this.#source, sink]) (end as { unref?(): void }).unref?.();
  }

  stop(): void {
    this.#source.destroy();
  }
}
