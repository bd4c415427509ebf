/*
 * `curio` alone: a prompt inside a running kernel. `await` works, each input is a task of its own, what is spawned goes on
 * behind the prompt, and Ctrl-C cancels what has been entered last. It must not know how a task is run: what is typed
 * outside the kernel is done in the name of a task that waits for it.
 */

import { AsyncResource } from 'node:async_hooks';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type REPLServer, start } from 'node:repl';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import type { Command } from 'commander';
import { packageVersion } from '../base/package.ts';
import { takeSnapshot } from '../monitor/snapshot.ts';
import { taskTable, taskTree } from '../monitor/table.ts';
import { currentTask, spawn, type Task } from '../task.ts';
import { sleep } from '../time.ts';
import { tasksBeside } from '../traps.ts';
import { UniversalQueue } from '../universal/queue.ts';

/** Where a session reads and writes. */
export interface Terminal {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
  /** Whether line editing and Ctrl-C are to be had; default: if the output is a terminal. */
  terminal?: boolean;
  /** The file that remembers what was typed; null for none. */
  history: string | null;
}

export function define(command: Command): void {
  command
    .addHelpText(
      'after',
      '\nAll of Curio is in scope, and await works. ps(), tree(), where(n) and cancel(n)\nlook after the tasks. Ctrl-C cancels ' +
        'what runs, Ctrl-D ends.\n\nCURIO_REPL_HISTORY names the file of the history; empty for none.',
    )
    .action(async () => {
      const { run, ...names } = await import('../index.ts');
      await run({ stacks: true }, async function repl() {
        const terminal = { input: process.stdin, output: process.stdout, history: historyFile() };
        await session(terminal, { run, ...names });
      });
    });
}

function historyFile(): string | null {
  const named = process.env.CURIO_REPL_HISTORY;
  return named === undefined ? join(homedir(), '.curio_repl_history') : named || null;
}

/** A task in whose name input is evaluated, as long as it can be. */
interface Seat {
  task: Task<unknown>;
  /** Calls a function as if the task did. */
  enter<T>(fn: () => T): T;
  leave(): void;
}

/** True if the task can begin another operation. */
function usable({ task }: Seat): boolean {
  return !task.cancelled && !task.terminated && !task.waiting;
}

async function sit(ready: (seat: Seat) => void): Promise<void> {
  const task = await currentTask();
  await new Promise<void>((leave) => {
    ready({ task, enter: AsyncResource.bind((fn: () => unknown) => fn()) as Seat['enter'], leave });
  });
}

/**
 * The main task of a session; ends when the input does. Blocks.
 *
 * **Cancellation:** the prompt is closed.
 * @param names what is in scope
 */
export async function session(terminal: Terminal, names: object): Promise<void> {
  const main = await currentTask();
  const requests = new UniversalQueue<'seat' | 'interrupt'>();
  const session = new Session((request) => void requests.put(request));
  await session.seat();
  const server = await prompt(terminal, session);
  server.once('exit', () => void session.idle().then(() => requests.shutdown()));
  Object.assign(server.context, names, commands(main));
  try {
    for await (const request of requests) {
      if (request === 'seat') await session.seat();
      else await session.cancel();
    }
  } finally {
    session.close();
    server.close();
  }
}

/** Whose turn it is to be typed for, and what has not ended yet. */
class Session {
  readonly #ask: (request: 'seat' | 'interrupt') => void;
  #seat: Seat | null = null;
  #waiting: ((seat: Seat) => void)[] = [];
  #idle: (() => void)[] = [];
  /** What ends the evaluation that runs. */
  #ended: (() => void) | null = null;

  constructor(ask: (request: 'seat' | 'interrupt') => void) {
    this.#ask = ask;
  }

  get busy(): boolean {
    return this.#ended !== null;
  }

  /** In the kernel: takes a new task. */
  async seat(): Promise<void> {
    const seated = new Promise<Seat>((ready) => {
      void spawn({ name: 'input', daemon: true }, sit, ready);
    });
    await sleep(0);
    const seat = await seated;
    this.#seat = seat;
    for (const evaluate of this.#waiting.splice(0)) evaluate(seat);
  }

  /** In the kernel: Ctrl-C. */
  async cancel(): Promise<void> {
    await this.#seat?.task.cancel({ blocking: false });
  }

  /** The tasks that wait for input have nothing to wait for any more. */
  close(): void {
    this.#seat?.leave();
  }

  interrupt(): void {
    this.#ask('interrupt');
  }

  /**
   * Evaluates something, at once if there is a task to do it for.
   * @param begin is given what is to be called when it has ended
   */
  evaluate(begin: (ended: () => void) => void): void {
    const seat = this.#seat;
    if (seat === null) this.#waiting.push((next) => this.#begin(next, begin));
    else this.#begin(seat, begin);
  }

  #begin(seat: Seat, begin: (ended: () => void) => void): void {
    const ended = () => {
      if (this.#ended !== ended) return;
      this.#ended = null;
      for (const resolve of this.#idle.splice(0)) resolve();
      if (usable(seat)) return;
      // What has been cancelled, or has been left waiting without an await, is not fit for the next input.
      seat.leave();
      this.#seat = null;
      this.#ask('seat');
    };
    this.#ended = ended;
    seat.enter(() => begin(ended));
  }

  /** node:repl is done with it, whether or not it has called back. */
  failed(): void {
    this.#ended?.();
  }

  idle(): Promise<void> {
    return this.busy || this.#waiting.length > 0
      ? new Promise<void>((resolve) => this.#idle.push(resolve)).then(() => this.idle())
      : Promise.resolve();
  }
}

async function prompt(terminal: Terminal, session: Session): Promise<REPLServer> {
  const { output } = terminal;
  const isTerminal = terminal.terminal ?? (output as { isTTY?: boolean }).isTTY === true;
  output.write(`Curio ${packageVersion()}, Node ${process.version}. ${WELCOME}\n`);
  // The global scope, since what is typed must share its classes with Curio: an object of another realm is no options object.
  const server = start({
    prompt: 'curio> ',
    input: isTerminal ? terminal.input : lineByLine(terminal.input, session),
    output,
    terminal: isTerminal,
    useGlobal: true,
    breakEvalOnSigint: true,
  });
  const evaluate = server.eval;
  // Errors come out of node:repl by one of two ways: it calls back, or it has shown them itself, and then prompts.
  const displayPrompt = server.displayPrompt.bind(server);
  server.displayPrompt = (preserveCursor) => {
    displayPrompt(preserveCursor);
    session.failed();
  };
  Object.assign(server, {
    eval(this: REPLServer, ...[code, context, file, callback]: Parameters<REPLServer['eval']>) {
      session.evaluate((ended) => {
        evaluate.call(this, code, context, file, (error, value) => {
          callback(error, value);
          ended();
        });
      });
    },
  });
  onInterrupt(server, session);
  if (terminal.history !== null && isTerminal) await remember(server, terminal.history);
  return server;
}

/** What does not come from a terminal comes all at once; the next line waits until the one before has been done. */
function lineByLine(input: NodeJS.ReadableStream, session: Session): Readable {
  return Readable.from(
    (async function* () {
      for await (const line of createInterface({ input })) {
        yield `${line}\n`;
        await new Promise((resolve) => setImmediate(resolve));
        await session.idle();
      }
    })(),
  );
}

const WELCOME = 'All of Curio is in scope; ps(), tree(), where(n), cancel(n); .help tells more.';

/** Ctrl-C: cancels what runs. If that does not end it, and at the prompt, node:repl does what it does. */
function onInterrupt(server: REPLServer, session: Session): void {
  const usual = server.listeners('SIGINT') as (() => void)[];
  server.removeAllListeners('SIGINT');
  server.on('SIGINT', () => {
    if (!session.busy) {
      for (const listener of usual) listener.call(server);
      return;
    }
    session.interrupt();
    setTimeout(() => {
      if (!session.busy) return;
      server.output.write(
        'It awaits an ordinary promise, which cannot be cancelled, and goes on by itself.\n',
      );
      for (const listener of usual) listener.call(server);
    }, PATIENCE).unref();
  });
}

/** Milliseconds that what was cancelled may take before the prompt comes back without it. */
const PATIENCE = 500;

function remember(server: REPLServer, file: string): Promise<void> {
  // Node 26 loses what it has yet to write if it is closed once more meanwhile, as at Ctrl-D and the end of the input behind it.
  const close = server.close.bind(server);
  let isClosing = false;
  server.close = () => {
    const isFlushing =
      (server as { historyManager?: { isFlushing: boolean } }).historyManager?.isFlushing === true;
    if (isClosing && isFlushing) return;
    isClosing = isFlushing;
    close();
  };
  return new Promise((resolve) => {
    // A history that cannot be kept is told by node:repl, and no reason not to start.
    server.setupHistory(file, () => resolve());
  });
}

/** Shown as it is, without quotes. */
class Text extends String {
  [inspect.custom](): string {
    return this.toString();
  }
}

function commands(main: Task<unknown>): object {
  const tasks = () => tasksBeside(main) as Task<unknown>[];
  const find = (id: number) => {
    const task = tasks().find((it) => it.id === id);
    if (task === undefined) throw new RangeError(`There is no task ${id}. ps() lists those there are.`);
    return task;
  };
  return {
    ps: () => new Text(taskTable(takeSnapshot().tasks)),
    tree: () => new Text(taskTree(takeSnapshot())),
    where: (id: number) => new Text(find(id).traceback()),
    cancel: (id: number) => find(id).cancel(),
  };
}
