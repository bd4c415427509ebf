/*
 * A process that runs beside this one, on Node's child_process: its pipes are streams, and its end is something tasks
 * wait for. How it is started is in start.ts, what is done with a process as a whole in run.ts.
 */

import { blocksAreAwaited } from '../base/awaited.ts';
import { describe } from '../base/callable.ts';
import { comesOutHere } from '../base/stack.ts';
import { bytesOf, type Data } from '../io/attempts.ts';
import type { FileStream } from '../io/file-stream.ts';
import type { SystemError } from '../io/system.ts';
import { elsewhere, enterComposite, handled, refused } from '../traps.ts';
import { Conversation } from './conversation.ts';
import { Exit } from './exit.ts';
import { checkOptions, type DEVNULL, type PIPE, type PopenOptions, type STDOUT } from './options.ts';
import { send } from './signals.ts';
import { type Started, start } from './start.ts';

const NOT_STARTED: Started = { pid: null, streams: [null, null, null], groupLives: false };

/** A stream where `PIPE` was asked for, null where something else or nothing was. */
export type Piped<R> = R extends typeof PIPE
  ? FileStream
  : R extends typeof STDOUT | typeof DEVNULL
    ? null
    : R extends number
      ? FileStream | null
      : null;

/**
 * A process, which starts at once. It reads and writes bytes.
 *
 * It lives on when the task that started it ends, and keeps this process alive only while a task waits for it or for its
 * pipes. `await using p = new Popen(…)` closes the pipes at the end of the block, and waits for the process to end.
 *
 * If it cannot be started, the first operation that is awaited, of the process or of its pipes, throws the reason: an Error with
 * the code `ENOENT` if there is no such program.
 *
 * @see Reference manual, "Subprocesses"
 * @example
 * const p = new Popen(['ping', 'www.python.org'], { stdout: PIPE });
 * for await (const line of p.stdout) console.log('Got:', line.toString());
 */
export class Popen<const out O extends PopenOptions = PopenOptions> implements AsyncDisposable {
  static {
    blocksAreAwaited(this, 'A process ends');
  }

  /** The command. */
  readonly args: string | readonly string[];
  /** The id of the process; null if it could not be started. */
  readonly pid: number | null;
  /** Where to write what the process reads, if that is a pipe. */
  readonly stdin: Piped<O['stdin']>;
  /** Where to read what the process writes to standard output, if that is a pipe. */
  readonly stdout: Piped<O['stdout']>;
  /** Where to read what the process writes to standard error, if that is a pipe. */
  readonly stderr: Piped<O['stderr']>;
  readonly #exit = new Exit();
  readonly #started: Started;
  readonly #processGroup: boolean;

  /**
   * @param args the program and its arguments; a string is a program without arguments, or with `shell: true` a command
   * @throws TypeError for arguments that make no sense
   */
  constructor(args: string | readonly string[], options: O = {} as O) {
    const own = checkOptions(options, 'Popen()');
    const there = elsewhere();
    this.#started = there === null ? start(args, own, 'Popen()', this.#exit) : NOT_STARTED;
    this.args = typeof args === 'string' ? args : [...args];
    this.#processGroup = own.processGroup === true;
    this.pid = this.#started.pid;
    [this.stdin, this.stdout, this.stderr] = this.#started.streams as [
      Piped<O['stdin']>,
      Piped<O['stdout']>,
      Piped<O['stderr']>,
    ];
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    if (there !== null) return there.construct(new.target, [args, options]) as this;
  }

  /** What the process ended with: a number from 0 on, or the negative number of the signal that ended it. Null while it runs. */
  get returncode(): number | null {
    return this.#exit.returncode;
  }

  /**
   * The `returncode`, null while the process runs. Does not block.
   * @throws the reason, if it could not be started
   */
  poll(): number | null {
    const { error } = this.#exit;
    if (error === null) return this.returncode;
    this.#exit.told = true;
    throw error;
  }

  /**
   * Waits for the process to end, and gives its `returncode`. Blocks (`FUTURE_WAIT`) until then.
   *
   * A process that writes more into a pipe than anybody reads never ends: use `communicate()`.
   *
   * **Cancellation:** the process goes on.
   * @throws the reason, if it could not be started
   * @see Reference manual, "Subprocesses"
   */
  wait(): Promise<number> {
    return this.#exit.wait('Popen.wait()');
  }

  /**
   * Writes `input` to the process's standard input and closes that, reads all of its output, and waits for it to end. Gives standard
   * output and standard error, empty for what is no pipe. Blocks.
   *
   * **Cancellation:** the process goes on. `stdout` and `stderr` of the exception are what had come, `bytesWritten` is how much of the
   * input had gone; nothing else is lost, and reading or another `communicate()` gives the rest.
   * @throws an Error with the code `EPIPE` if the process closes its input before it has read all of it; it has `stdout` and `stderr` too
   * @throws the reason, if it could not be started
   * @throws TypeError for input without a pipe for it
   * @see Reference manual, "Subprocesses"
   */
  communicate(
    input?: Data | { readonly input?: Data | null } | null,
  ): Promise<[stdout: Buffer, stderr: Buffer]> {
    const bytes = inputOf(input, 'communicate()');
    const stdin: FileStream | null = this.stdin;
    if (bytes !== null && bytes.length > 0 && stdin === null)
      throw new TypeError(
        'communicate() was given input, and the standard input of the process is no pipe: start it with stdin: PIPE.',
      );
    if (enterComposite('Popen.communicate()') === null) return refused('Popen.communicate()');
    return handled(this.#communicate(new Conversation(stdin, bytes, this.stdout, this.stderr)));
  }

  async #communicate(conversation: Conversation): Promise<[Buffer, Buffer]> {
    if (this.pid === null) await this.#exit.wait('Popen.communicate()');
    try {
      await conversation.run();
      await this.#exit.wait('Popen.communicate()');
    } catch (error) {
      conversation.describe(error);
      // The pipes are written and read by tasks of their own.
      if ((error as Partial<SystemError>).syscall !== undefined) comesOutHere(error);
      throw error;
    }
    return [conversation.stdout, conversation.stderr];
  }

  /**
   * Sends a signal to the process, with `processGroup` to all of its group; nothing if it has ended. Does not block.
   * @throws an Error with the code `EPERM` if the process is somebody else's
   */
  sendSignal(signal: NodeJS.Signals | number): void {
    if (this.pid === null) return;
    const runs = this.returncode === null;
    // The number of one that has ended may be another's by now. A group's is not, while one of its members lives.
    if (this.#processGroup) {
      if (runs || this.#started.groupLives) this.#started.groupLives = send(-this.pid, signal);
    } else if (runs) send(this.pid, signal);
  }

  /** Asks the process to end: `SIGTERM`. Does not block. */
  terminate(): void {
    this.sendSignal('SIGTERM');
  }

  /** Ends the process: `SIGKILL`. Does not block; `wait()` for the end. */
  kill(): void {
    this.sendSignal('SIGKILL');
  }

  /** Closes the pipes, and waits for the process to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { told } = this.#exit;
    const streams: (FileStream | null)[] = [this.stdout, this.stderr, this.stdin];
    for (const stream of streams) stream?.readiness.close();
    // Who has been told why it did not start, and has left the block with that, need not hear it twice.
    if (!told) await this.wait();
  }

  toString(): string {
    const ended = this.returncode === null ? 'running' : `returncode ${this.returncode}`;
    const state = this.pid === null ? 'not started' : ended;
    return `Popen(${Array.isArray(this.args) ? this.args.join(' ') : this.args}, pid ${this.pid}, ${state})`;
  }
}

/** @throws TypeError for what holds no bytes */
export function inputOf(input: unknown, who: string): Uint8Array | null {
  if (input === undefined || input === null) return null;
  const plain = typeof input === 'object' && Object.getPrototypeOf(input) === Object.prototype;
  if (!plain) return bytesOf(input as Data, who);
  const unknown = Object.keys(input).find((name) => name !== 'input');
  if (unknown !== undefined)
    throw new TypeError(
      `${who} has no option '${unknown}', only input, which is ${describe(null)} or bytes.`,
    );
  return inputOf((input as { input?: unknown }).input, who);
}
