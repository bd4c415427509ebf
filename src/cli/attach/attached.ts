/*
 * A process that was not prepared, as the monitor's commands want it: its desk answers through the inspector, which also gets at a thread
 * that is caught in a loop.
 */

import type { Answered, Stall, WatchThread } from '../../stall/guest.ts';
import { deskCall, deskReply, type Held, Holder, within } from '../../stall/hold.ts';
import { Inspector } from './inspector.ts';
import { NotAttachable } from './target.ts';

/** Milliseconds without an answer before one looks whether the thread moves at all. */
const PATIENCE = 500;
/** After so many of them it is stuck, also if no task runs. */
const CHANCES = 8;

// What stands where in the pulse; see kernel/pulse.ts.
const TASK = 0;
const TURNS = 1;

export class Attached implements WatchThread {
  readonly #inspector: Inspector;
  readonly #desk: number;
  readonly #holder: Holder;
  #stall: Stall | null = null;
  readonly #since = performance.now();

  private constructor(inspector: Inspector, desk: number, library: string) {
    this.#inspector = inspector;
    this.#desk = desk;
    this.#holder = new Holder(
      desk,
      library,
      () => this.tell('pong'),
      () => inspector,
    );
  }

  /** Attaches for as long as `work` takes. @throws NotAttachable */
  static async to<T>(pid: number, work: (thread: Attached) => Promise<T>): Promise<T> {
    const inspector = await Inspector.of(pid);
    try {
      return await work(await Attached.#find(pid, inspector));
    } finally {
      await inspector.close();
    }
  }

  /** Which of the copies of Curio in the process has run a kernel. */
  static async #find(pid: number, inspector: Inspector): Promise<Attached> {
    const asked = evaluate(inspector, `(globalThis[Symbol.for('curio.desks')] ?? []).length`);
    asked.then(undefined, none);
    const count = await within(CHANCES * PATIENCE, asked);
    if (count === null)
      throw new NotAttachable(`Process ${pid} does not answer: it is in a call that is not JavaScript.`);
    const copies = (count as { result: { value: number } }).result.value;
    for (let desk = 0; desk < copies; desk++) {
      const library = await evaluate(inspector, deskCall(desk, 'ask', 'library', []))
        .then(deskReply)
        .then(undefined, none);
      if (library !== null) return new Attached(inspector, desk, library as string);
    }
    const why = copies === 0 ? 'its main thread has not loaded it' : 'no kernel has run in its main thread';
    throw new NotAttachable(`Process ${pid} does not run Curio: ${why}.`);
  }

  async ask(question: string, ...args: unknown[]): Promise<Answered> {
    const answered = this.tell(question, ...args).then((value) => ({ value }));
    let before = await this.#pulse();
    for (let chance = 1; ; chance++) {
      const answer = await within(PATIENCE, answered);
      if (answer !== null) return answer;
      const now = await this.#pulse();
      if (now === null || now[TURNS] !== before?.[TURNS]) chance = 0;
      else if (now[TASK] !== 0 || chance >= CHANCES) break;
      before = now;
      if (now === null) break;
    }
    answered.then(undefined, none);
    const seconds = (performance.now() - this.#since) / 1000;
    this.#stall = { task: before?.[TASK] ?? 0, seconds };
    return { stuck: this.#stall };
  }

  async tell(question: string, ...args: unknown[]): Promise<unknown> {
    return deskReply(await evaluate(this.#inspector, deskCall(this.#desk, 'askLater', question, args), true));
  }

  hold<T>(work: (held: Held) => Promise<T>): Promise<T | undefined> {
    return this.#holder.hold(work);
  }

  stall(): Stall | null {
    return this.#stall;
  }

  running(): number {
    return this.#stall?.task ?? 0;
  }

  turns(): number {
    return 0;
  }

  /** At once, also while the thread is in a loop; null in a call that is not JavaScript. */
  async #pulse(): Promise<number[] | null> {
    const asked = evaluate(this.#inspector, deskCall(this.#desk, 'ask', 'pulse', [])).then(deskReply);
    asked.then(undefined, none);
    return within(PATIENCE, asked) as Promise<number[] | null>;
  }
}

/** Waits for a promise only if told to: a thread in a loop would never say that what is none has settled. */
function evaluate(inspector: Inspector, expression: string, awaitPromise = false): Promise<unknown> {
  return inspector.post('Runtime.evaluate', { expression, returnByValue: true, awaitPromise });
}

/** There are no tasks here; whoever waits sees null, or that it takes too long. */
function none(): null {
  return null;
}
