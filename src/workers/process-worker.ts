/*
 * A worker that is a process.
 */

import type { ChildProcess } from 'node:child_process';
import { Lookout, MOMENT_OF_PROCESSES } from '../base/lookout.ts';
import { clearRealTimeout, setRealTimeout } from '../base/loop.ts';
import { NotSupportedError } from '../errors.ts';
import { outsideTasks } from '../traps.ts';
import type { Call } from './call.ts';
import { openEnvelope } from './envelope.ts';
import { farScript, nodeOptions } from './far/script.ts';
import type { LastWords, Reply } from './message.ts';
import { mainScript } from './travel/main-script.ts';
import { type Listener, PoolWorker } from './worker.ts';

/** How long a process that was sent SIGTERM may take to end, in milliseconds. */
const GRACE = 2000;

// Whatever becomes of this process: those it has started for itself end with it, also in an endless loop.
const alive = new Set<ChildProcess>();
const killAll = (): void => {
  for (const child of alive) child.kill('SIGKILL');
};

/** Stands in the environment of a worker until its script runs. */
const MARK = 'CURIO_WORKER_STARTS';
// The script is longer than an argument may be: it comes as the first message.
const STARTER = `delete process.env.${MARK}; process.once('message', (script) => (0, eval)(script))`;

/**
 * Where Node is part of an executable with a program of its own, workers would be copies of that program, and start workers in turn.
 * @throws NotSupportedError
 */
export function requireNode(): void {
  const sea: { isSea(): boolean } | undefined = process.getBuiltinModule('node:sea');
  const isOne = sea?.isSea() ?? false;
  // Other kinds of such executables are told by what they do.
  if (!isOne && process.env[MARK] === undefined) return;
  throw new NotSupportedError(
    `runInProcess() starts Node, and ${process.execPath} is an executable that runs a program of its own instead. Use runInThread().`,
  );
}

export class ProcessWorker extends PoolWorker {
  readonly kind = 'process';
  readonly depth = 1;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #lookout = new Lookout(MOMENT_OF_PROCESSES);
  #ready = false;
  #first: Call | null = null;
  #error: unknown;
  /** What it was sent it has not begun, and will not. */
  #isIdle = false;
  readonly #listener: Listener;

  constructor(listener: Listener) {
    super();
    this.#listener = listener;
    const options = [...nodeOptions(), '-e', STARTER];
    // Output is this program's; input is not for workers.
    this.#child = process.getBuiltinModule('node:child_process').spawn(process.execPath, options, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, [MARK]: '1' },
      windowsHide: true,
    });
    const child = this.#child;
    if (alive.size === 0) process.on('exit', killAll);
    alive.add(child);
    if (child.pid !== undefined) child.send(farScript('call'), () => {});
    child.on('message', (said: Reply | LastWords) => {
      if ('lastWords' in said) this.#fail(said);
      else this.#hear(said);
    });
    child.on('error', (error) => {
      this.#error = error;
    });
    this.#gone = new Promise((resolve) => {
      const over = (how: string): void => {
        if (!alive.delete(child)) return;
        if (alive.size === 0) process.off('exit', killAll);
        resolve();
        listener.ended(this, how, this.#error);
      };
      // Behind its last words.
      child.on('close', (code, signal) =>
        over(
          signal !== null
            ? `was ended by ${signal}`
            : this.#error === undefined
              ? `ended with exit code ${code}`
              : 'ended by an uncaught error',
        ),
      );
      child.on('error', () => {
        if (child.pid === undefined) over('could not be started');
      });
    });
    // Whoever waits for a call keeps this process alive himself.
    child.unref();
    child.channel?.unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  #fail({ lastWords, isBusy }: LastWords): void {
    this.#error = openEnvelope(lastWords);
    this.#isIdle = !isBusy;
  }

  #hear(reply: Reply): void {
    if (this.#ready) {
      this.#lookout.heard();
      return this.#listener.replied(this, reply);
    }
    this.#ready = true;
    this.#child.send({ main: mainScript() });
    const first = this.#first;
    this.#first = null;
    if (first === null) return;
    try {
      this.#post(first);
    } catch (error) {
      // swallows: nothing; it is what the caller gets.
      this.#listener.unsent(this, error);
    }
  }

  send(call: Call): void {
    if (this.#ready) this.#post(call);
    else this.#first = call;
  }

  #post(call: Call): void {
    this.post(call, false, (message) =>
      this.#child.send(message, (error) => {
        // That the other end has gone is told by its end.
        void error;
      }),
    );
    outsideTasks(() => this.#lookout.asked());
  }

  /** Its messages come as events only. */
  hear(): void {}

  /** It is sent one call at a time, which it may have begun unless it says otherwise. */
  protected halt(): number {
    return this.#isIdle ? 0 : this.calls.length;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGTERM');
    const impatient = setRealTimeout(() => this.#child.kill('SIGKILL'), GRACE);
    await this.#gone;
    clearRealTimeout(impatient);
  }
}
