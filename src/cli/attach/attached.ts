/*
 * A process that was not prepared, as the monitor's commands want it: its desk answers through the inspector, which also gets at a thread
 * that is caught in a loop.
 */

import { Commands } from '../../monitor/commands.ts';
import type { Answered, Stall, WatchThread } from '../../stall/guest.ts';
import { deskCall, deskReply, type Held, Holder, within } from '../../stall/hold.ts';
import { type Samples, sampleRunning } from '../../stall/samples.ts';
import type { Link } from '../link.ts';
import { Inspector } from './inspector.ts';
import { NotAttachable } from './target.ts';

/** Milliseconds without an answer before one looks whether the thread moves at all. */
const PATIENCE = 500;
/** After so many of them it is stuck, also if no task runs. */
const CHANCES = 8;

// What stands where in the pulse; see kernel/pulse.ts.
const TASK = 0;
const TURNS = 1;

/** Milliseconds between two looks at who runs: each interrupts the process for a moment. */
const SAMPLE = 10;

interface Pulse {
  /** The task whose turn it is; 0 for none. */
  task: number;
  turns: number;
}

export class Attached implements WatchThread {
  readonly pid: number;
  readonly #inspector: Inspector;
  readonly #desk: number;
  readonly #holder: Holder;
  /** How many turns there had been, and when that was last seen to change. */
  #turns = 0;
  #moved = performance.now();
  #stall: Stall | null = null;

  private constructor(pid: number, inspector: Inspector, desk: number) {
    this.pid = pid;
    this.#inspector = inspector;
    this.#desk = desk;
    this.#holder = new Holder(
      desk,
      () => this.tell('pong'),
      () => inspector,
    );
  }

  /** @throws NotAttachable */
  static async to(pid: number): Promise<Attached> {
    const inspector = await Inspector.of(pid);
    try {
      return await Attached.#find(pid, inspector);
    } catch (error) {
      await inspector.close();
      throw error;
    }
  }

  /** Takes leave: the process is as it was before. */
  close(): Promise<void> {
    return this.#inspector.close();
  }

  /** Why nothing can be asked any more; null as long as it can. */
  get over(): Error | null {
    return this.#inspector.over;
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
      const present = await evaluate(inspector, deskCall(desk, 'ask', 'present', []))
        .then(deskReply)
        .then(undefined, none);
      if (present !== null) return new Attached(pid, inspector, desk);
    }
    const why = copies === 0 ? 'its main thread has not loaded it' : 'no kernel has run in its main thread';
    throw new NotAttachable(`Process ${pid} does not run Curio: ${why}.`);
  }

  async ask(question: string, ...args: unknown[]): Promise<Answered> {
    let pulse = await this.#pulse();
    // A loop answers only when it ends, and its process keeps every question until then.
    if (this.#stall !== null && pulse !== null && pulse.task !== 0) return this.#stuck(pulse);
    const answered = this.tell(question, ...args).then((value) => ({ value }));
    for (let chance = 1; ; chance++) {
      const answer = await within(PATIENCE, answered);
      if (answer !== null) {
        this.#moves();
        return answer;
      }
      const before = pulse;
      pulse = await this.#pulse();
      if (pulse === null) break;
      if (pulse.turns !== before?.turns) chance = 0;
      else if (pulse.task !== 0 || chance >= CHANCES) break;
    }
    answered.then(undefined, none);
    return this.#stuck(pulse);
  }

  #moves(): void {
    this.#moved = performance.now();
    this.#stall = null;
  }

  #stuck(pulse: Pulse | null): { stuck: Stall } {
    this.#stall = { task: pulse?.task ?? 0, seconds: (performance.now() - this.#moved) / 1000 };
    return { stuck: this.#stall };
  }

  async tell(question: string, ...args: unknown[]): Promise<unknown> {
    return deskReply(await evaluate(this.#inspector, deskCall(this.#desk, 'askLater', question, args), true));
  }

  hold<T>(work: (held: Held) => Promise<T>): Promise<T | undefined> {
    return this.#holder.hold(work);
  }

  sample(ms: number): Promise<Samples> {
    return sampleRunning(ms, SAMPLE, async () => (await this.#pulse())?.task ?? null);
  }

  /** At once, also while the thread is in a loop; null in a call that is not JavaScript. */
  async #pulse(): Promise<Pulse | null> {
    const asked = evaluate(this.#inspector, deskCall(this.#desk, 'ask', 'pulse', [])).then(deskReply);
    asked.then(undefined, none);
    const words = (await within(PATIENCE, asked)) as number[] | null;
    if (words === null) return null;
    const pulse = { task: words[TASK] as number, turns: words[TURNS] as number };
    if (pulse.turns !== this.#turns) this.#moves();
    this.#turns = pulse.turns;
    return pulse;
  }
}

/** Attaches to a process, which answers the monitor's commands then. @throws NotAttachable */
export async function attach(pid: number): Promise<Link> {
  const thread = await Attached.to(pid);
  const commands = new Commands(thread);
  return {
    async ask(command) {
      const answer = await commands.run(command);
      if (thread.over !== null) throw thread.over;
      return answer;
    },
    close: () => thread.close(),
  };
}

/** Waits for a promise only if told to: a thread in a loop would never say that what is none has settled. */
function evaluate(inspector: Inspector, expression: string, awaitPromise = false): Promise<unknown> {
  return inspector.post('Runtime.evaluate', { expression, returnByValue: true, awaitPromise });
}

/** There are no tasks here; whoever waits sees null, or that it takes too long. */
function none(): null {
  return null;
}
