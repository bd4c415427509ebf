// Random nests of timeouts, sleeps, handlers and shields, compared with a model that knows only the manual's rules: who reports
// what, and when.

import {
  CancelledError,
  clock,
  disableCancellation,
  ignoreAfter,
  sleep,
  TimeoutScope,
  timeoutAfter,
  UncaughtTimeoutError,
} from 'curio';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { noisily } from '../kit/virtual.ts';
import { RUNS } from './programs.ts';

type Node =
  | { do: 'sleep'; seconds: number }
  | { do: 'limit'; seconds: number | null; ignore: boolean; asScope: boolean; body: Node[] }
  | { do: 'catch'; body: Node[] }
  | { do: 'shield'; body: Node[] };

const { body } = fc.letrec<{ node: Node; body: Node[] }>((tie) => ({
  body: fc.array(tie('node'), { maxLength: 3 }),
  node: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('sleep'), seconds: fc.integer({ min: 1, max: 9 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('limit'),
        seconds: fc.option(fc.integer({ min: 1, max: 9 }), { freq: 9 }),
        ignore: fc.boolean(),
        asScope: fc.boolean(),
        body: tie('body'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('catch'), body: tie('body') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('shield'), body: tie('body') }) },
  ) as fc.Arbitrary<Node>,
}));

/** What is thrown: the name of the error, and the time at which the timeout behind it expired. */
interface Thrown {
  name: 'TaskTimeout' | 'TimeoutCancellationError' | 'UncaughtTimeoutError';
  clock: number;
}

/** A line for every limit that is left, and every handler that catches something. */
type Report = string;

interface Frame {
  deadline: number;
  /** When it was spent, if it has been: by its own time, or by that of one around it. */
  spent: number | null;
  /** The innermost frame then: once that one is left, this one counts as it did before. */
  thrownIn: Frame | undefined;
}

/** The manual's rules. */
class Model {
  readonly reports: Report[] = [];
  now = 0;
  #frames: Frame[] = [];
  #pending: number | null = null;
  #shields = 0;

  /** Runs statements one after the other; gives what they throw. */
  run(body: Node[]): Thrown | null {
    for (const node of body) {
      const thrown = this.#step(node);
      if (thrown !== null) return thrown;
    }
    return null;
  }

  #step(node: Node): Thrown | null {
    switch (node.do) {
      case 'sleep':
        return this.#sleep(node.seconds);
      case 'limit':
        return this.#limit(node);
      case 'catch': {
        const thrown = this.run(node.body);
        if (thrown !== null) this.reports.push(`caught ${thrown.name} at ${this.now}`);
        return null;
      }
      case 'shield': {
        this.#shields++;
        const thrown = this.run(node.body);
        this.#shields--;
        return thrown;
      }
    }
  }

  #sleep(seconds: number): Thrown | null {
    if (this.#shields === 0 && this.#pending !== null) {
      const clock = this.#pending;
      this.#pending = null;
      return { name: 'TaskTimeout', clock };
    }
    const until = this.now + seconds;
    for (let deadline = this.#deadline(); deadline < until; deadline = this.#deadline()) {
      this.now = Math.max(this.now, deadline);
      const owner = this.#expire();
      if (this.#shields === 0) return { name: 'TaskTimeout', clock: this.now };
      // Of two that wait for the shield to go it is the outer one that counts.
      const waiting = this.#pending === null ? -1 : this.#owner(this.#pending);
      if (waiting < 0 || owner < waiting) this.#pending = this.now;
    }
    this.now = until;
    return null;
  }

  #deadline(): number {
    return Math.min(
      ...this.#frames.map((frame) => (frame.spent === null ? frame.deadline : Infinity)),
      Infinity,
    );
  }

  /** The outermost frame whose time is up is spent, and all inside it. */
  #expire(): number {
    const owner = this.#owner(this.now);
    for (const frame of this.#frames.slice(owner)) {
      if (frame.spent === null) Object.assign(frame, { spent: this.now, thrownIn: this.#frames.at(-1) });
    }
    return owner;
  }

  /** The frame that a timeout of that time belongs to; -1 for none that is still there. */
  #owner(clock: number): number {
    return this.#frames.findIndex(
      ({ deadline, spent }) => deadline <= clock && (spent === null || spent >= clock),
    );
  }

  #limit({ seconds, ignore, asScope, body }: Node & { do: 'limit' }): Thrown | null {
    const deadline = seconds === null ? Infinity : this.now + seconds;
    const frame: Frame = { deadline, spent: null, thrownIn: undefined };
    this.#frames.push(frame);
    const thrown = this.run(body);
    let owner = -1;
    if (thrown !== null) owner = this.#owner(thrown.clock);
    this.#frames.pop();
    if (this.#pending !== null && this.#owner(this.#pending) < 0) this.#pending = null;
    for (const outer of this.#frames) {
      if (outer.thrownIn !== frame) continue;
      // What still waits will be thrown in the next one.
      if (this.#pending !== null) outer.thrownIn = this.#frames.at(-1);
      else outer.spent = null;
    }
    let result = thrown;
    let expired = false;
    if (thrown !== null && thrown.name !== 'UncaughtTimeoutError') {
      if (owner < 0) result = { ...thrown, name: 'UncaughtTimeoutError' };
      else if (owner < this.#frames.length) result = { ...thrown, name: 'TimeoutCancellationError' };
      else {
        expired = true;
        result = ignore ? null : { ...thrown, name: 'TaskTimeout' };
      }
    }
    this.reports.push(`${result?.name ?? 'quiet'} at ${this.now}${asScope && expired ? ', expired' : ''}`);
    return result;
  }
}

/** The same with Curio. */
async function perform(body: Node[], reports: Report[]): Promise<void> {
  const note = async (what: string) => reports.push(`${what} at ${await clock()}`);
  for (const node of body) {
    if (node.do === 'sleep') await sleep(node.seconds);
    else if (node.do === 'shield') await disableCancellation(perform, node.body, reports);
    else if (node.do === 'catch') {
      try {
        await perform(node.body, reports);
      } catch (error) {
        if (!(error instanceof CancelledError || error instanceof UncaughtTimeoutError)) throw error;
        await note(`caught ${error.name}`);
      }
    } else {
      const limit = (node.ignore ? ignoreAfter : timeoutAfter) as typeof timeoutAfter;
      const scope = limit(node.seconds);
      expect(scope).toBeInstanceOf(TimeoutScope);
      try {
        if (node.asScope) await scope.run(perform, node.body, reports);
        else await limit(node.seconds, perform, node.body, reports);
        await note('quiet');
      } catch (error) {
        await note((error as Error).name);
        throw error;
      } finally {
        if (scope.expired) reports.push(`${reports.pop()}, expired`);
      }
    }
  }
}

test('nested timeouts report as the manual says, whatever is nested in what', () =>
  fc.assert(
    fc.asyncProperty(body, async (program) => {
      const model = new Model();
      const thrown = model.run(program);
      await noisily(async () => {
        const reports: Report[] = [];
        const error = await perform(program, reports).then(
          () => null,
          (error: Error) => error.name,
        );
        expect(reports).toEqual(model.reports);
        expect(error).toBe(thrown?.name ?? null);
        expect(await clock()).toBe(model.now);
        // Nothing is left of any of them.
        await sleep(1000).catch(() => {
          throw new Error('a timeout was left behind');
        });
      });
    }),
    { numRuns: RUNS * 4 },
  ));
