// Which worker does which call, when, and what becomes of the others if one is cancelled, slow, or loses its worker: with workers that
// do nothing by themselves, and time that stands still.

import { availableParallelism } from 'node:os';
import { EOFError } from 'curio';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Call, type CallOptions } from '../../src/workers/call.ts';
import type { Reply } from '../../src/workers/message.ts';
import { Pool } from '../../src/workers/pool.ts';
import type { Shipment } from '../../src/workers/travel/shipment.ts';
import { type Listener, PoolWorker } from '../../src/workers/worker.ts';

const CORES = availableParallelism();

class PaperWorker extends PoolWorker {
  readonly kind = 'thread';
  readonly depth = 8;
  readonly listener: Listener;
  /** How many of its calls it has begun. */
  begun = 0;
  isKilled = false;
  /** What it has said and nobody heard yet. */
  readonly said: Reply[] = [];

  constructor(listener: Listener) {
    super();
    this.listener = listener;
  }

  send(call: Call): void {
    if (call.args[0] === 'unsendable') throw new Error('no');
  }

  hear(): void {
    for (let reply = this.said.shift(); reply !== undefined; reply = this.said.shift()) this.#reply(reply);
  }

  #reply(reply: Reply): void {
    this.begun--;
    this.listener.replied(this, reply);
  }

  protected halt(): number {
    return this.begun;
  }

  async kill(): Promise<void> {
    this.isKilled = true;
  }

  begin(): void {
    this.begun++;
  }

  answer(): void {
    this.said.push({ value: 'done', isBuffer: false });
  }

  /** Does its first call. */
  do(): void {
    this.begin();
    this.answer();
    this.hear();
  }
}

/** A call, and what became of it. */
class PaperCall extends Call {
  outcome: unknown = 'open';

  constructor(shipment: Shipment, name: string, options: CallOptions = {}) {
    super({ name }, shipment, [name], options);
  }

  override settle(): void {
    this.outcome = 'done';
  }

  override fail(error: unknown): boolean {
    this.outcome = error;
    return true;
  }
}

const shipment = (id: number): Shipment => ({ id, lasting: true, universal: false, root: 0, parts: [] });

let workers: PaperWorker[];
let pool: Pool;
let limit: number;
let complaints: string[];
const quick = shipment(1);
const unknown = shipment(2);

const order = (fn: Shipment, name: string, options?: CallOptions): PaperCall => {
  const call = new PaperCall(fn, name, options);
  pool.submit(call);
  return call;
};

const { setImmediate: nextTurn } = globalThis;
/** A turn of the event loop, which fake timers do not hold up. */
const turn = () => new Promise<void>((resolve) => nextTurn(resolve));

const namesOf = (worker: PaperWorker): unknown[] => worker.calls.map(({ args }) => args[0]);

beforeEach(() => {
  vi.useFakeTimers();
  vi.advanceTimersByTime(1000);
  workers = [];
  complaints = [];
  limit = CORES + 4;
  pool = new Pool(
    (listener) => {
      const worker = new PaperWorker(listener);
      workers.push(worker);
      return worker;
    },
    () => limit,
    (text) => complaints.push(text),
  );
});

afterEach(() => {
  vi.useRealTimers();
});

/** As many workers as there are cores, each of which has done a call of the function; each does one now. */
function busyCores(): PaperCall[] {
  for (let k = 0; k < CORES; k++) order(quick, 'warm');
  for (const worker of [...workers]) worker.do();
  const calls = Array.from({ length: CORES }, (_, k) => order(quick, `first ${k}`));
  for (const worker of workers) worker.begin();
  return calls;
}

describe('A function that has been quick', () => {
  test('wakes no more workers than there are cores; its calls are spread among them', () => {
    busyCores();
    for (let k = 0; k < CORES; k++) order(quick, 'second');
    expect(workers.map(namesOf)).toEqual(workers.map((_, k) => [`first ${CORES - 1 - k}`, 'second']));
  });

  test('whose calls fill the mailboxes has the others wait until there is room', () => {
    busyCores();
    const calls = Array.from({ length: CORES * 8 }, (_, k) => order(quick, `${k}`));
    expect(workers.map(({ calls }) => calls.length)).toEqual(workers.map(() => 8));
    for (let round = 0; calls.some(({ outcome }) => outcome === 'open'); round++) {
      expect(round).toBeLessThan(20);
      for (const worker of workers) if (worker.calls.length > 0) worker.do();
    }
    expect(workers.length).toBe(CORES);
  });

  test('and is so no longer does not hold up the calls behind it', () => {
    const first = busyCores();
    const second = Array.from({ length: 3 }, (_, k) => order(quick, `second ${k}`));
    vi.advanceTimersByTime(3);
    expect(workers.slice(CORES).map(namesOf)).toEqual([['second 0'], ['second 1'], ['second 2']]);
    for (const worker of workers) {
      if (worker.begun === 0) worker.begin();
      worker.answer();
      worker.hear();
    }
    expect([...first, ...second].map(({ outcome }) => outcome)).toEqual(
      [...first, ...second].map(() => 'done'),
    );
  });

  test('is not found slow because nobody listened', () => {
    busyCores();
    order(quick, 'second');
    for (const worker of workers) worker.answer();
    vi.advanceTimersByTime(1);
    expect(workers.length).toBe(CORES);
    expect(workers.flatMap(namesOf)).toEqual(['second']);
  });

  test('is put behind nothing that has been moved, and what is moved behind nothing', () => {
    const transfer = [new ArrayBuffer(1)];
    for (let k = 0; k < CORES; k++) order(quick, 'warm');
    for (const worker of [...workers]) worker.do();
    for (let k = 0; k < CORES; k++) order(quick, 'moved', { transfer });
    order(quick, 'copied');
    order(quick, 'moved, too', { transfer });
    expect(workers.map(namesOf)).toEqual([...workers.slice(0, CORES).map(() => ['moved']), ['moved, too']]);
    workers[0]!.do();
    expect(namesOf(workers[0]!)).toEqual(['copied']);
  });

  test('is put behind no worker that has been busy for long', () => {
    for (let k = 0; k < CORES; k++) order(quick, 'warm');
    for (const worker of [...workers]) worker.do();
    for (let k = 0; k < CORES; k++) order(unknown, 'long');
    vi.advanceTimersByTime(5);
    order(quick, 'quick');
    expect(namesOf(workers[CORES]!)).toEqual(['quick']);
  });
});

describe('A call that is cancelled', () => {
  test('before it has begun is not done, and its worker goes on', () => {
    busyCores();
    const [a, b] = [order(quick, 'a'), order(quick, 'b')];
    a.withdraw();
    expect(workers.flatMap(namesOf)).not.toContain('a');
    vi.advanceTimersByTime(2);
    for (const worker of workers) if (worker.begun === 0 && worker.calls.length > 0) worker.do();
    expect(b.outcome).toBe('done');
    expect(workers.some(({ isKilled }) => isKilled)).toBe(false);
  });

  test('while it is done takes its worker along, and those behind it are done by another, in their order', () => {
    busyCores();
    const behind = Array.from({ length: 2 * CORES }, (_, k) => order(quick, `${k}`));
    const [victim] = workers as [PaperWorker];
    const mine = namesOf(victim).slice(1);
    victim.calls[0]!.withdraw();
    expect(victim.isKilled).toBe(true);
    for (let round = 0; behind.some(({ outcome }) => outcome === 'open'); round++) {
      expect(round).toBeLessThan(40);
      vi.advanceTimersByTime(2);
      for (const worker of workers) if (worker !== victim && worker.calls.length > 0) worker.do();
    }
    expect(mine.length).toBe(2);
    expect(victim.calls.length).toBe(1);
  });

  test('when its worker has finished, and was not heard yet, costs no worker; those behind it go on', () => {
    busyCores();
    const behind = Array.from({ length: CORES }, (_, k) => order(quick, `${k}`));
    const [worker] = workers as [PaperWorker];
    const [first] = worker.calls as [PaperCall];
    worker.answer();
    worker.begin();
    first.withdraw();
    expect(worker.isKilled).toBe(false);
    expect(first.outcome).toBe('open');
    worker.answer();
    worker.hear();
    expect(behind.filter(({ outcome }) => outcome === 'done').length).toBe(1);
  });

  test('of a worker that has begun nothing leaves the worker for the next', () => {
    const call = order(unknown, 'a');
    call.withdraw();
    expect(workers[0]!.isKilled).toBe(false);
    order(unknown, 'b');
    expect(workers.map(namesOf)).toEqual([['b']]);
  });

  test('while it waits for a worker leaves its place', () => {
    limit = 1;
    const [a, b, c] = [order(unknown, 'a'), order(unknown, 'b'), order(unknown, 'c')];
    b.withdraw();
    workers[0]!.do();
    expect(workers.map(namesOf)).toEqual([['c']]);
    workers[0]!.do();
    expect([a, b, c].map(({ outcome }) => outcome)).toEqual(['done', 'open', 'done']);
  });

  test('and given up goes on, and its worker is used again', () => {
    limit = 1;
    order(unknown, 'a', { onCancel: 'abandon' }).withdraw();
    const next = order(unknown, 'b');
    expect(workers.map(namesOf)).toEqual([['a']]);
    workers[0]!.do();
    workers[0]!.do();
    expect(next.outcome).toBe('done');
  });

  test('makes room for the next if there is a limit', async () => {
    limit = 1;
    const call = order(unknown, 'a');
    const next = order(unknown, 'b');
    workers[0]!.begin();
    call.withdraw();
    await turn();
    expect(workers.map(({ isKilled }) => isKilled)).toEqual([true, false]);
    workers[1]!.do();
    expect(next.outcome).toBe('done');
  });

  test('together with thousands that wait gives none of them a worker', async () => {
    limit = 4;
    const calls = Array.from({ length: 10_000 }, (_, k) => order(unknown, `${k}`));
    for (const worker of workers) worker.begin();
    for (const call of calls) call.withdraw();
    await turn();
    expect(workers.map(({ isKilled }) => isKilled)).toEqual([true, true, true, true, false]);
    expect(pool.size).toBe(1);
  });

  test('whose worker does not go has another beside it, but not more and more of them', async () => {
    limit = 2;
    let go = () => {};
    const gone = new Promise<void>((resolve) => {
      go = resolve;
    });
    for (let round = 0; round < 10; round++) {
      const calls = Array.from({ length: 5 }, (_, k) => order(unknown, `${k}`));
      for (const worker of workers) {
        worker.kill = () => gone;
        if (worker.calls.length > 0) worker.begin();
      }
      for (const call of calls) call.withdraw();
      await turn();
    }
    expect(workers).toHaveLength(4);
    const last = order(unknown, 'last');
    expect(workers).toHaveLength(4);
    go();
    await turn();
    await turn();
    workers.at(-1)!.do();
    expect(last.outcome).toBe('done');
  });
});

describe('A worker that ends', () => {
  const end = (worker: PaperWorker) => worker.listener.ended(worker, 'ended', undefined);

  test('fails the call it did; what it had said is heard, and what it had not begun is done by another', () => {
    const first = busyCores();
    const behind = Array.from({ length: 2 * CORES }, (_, k) => order(quick, `${k}`));
    const [worker] = workers as [PaperWorker];
    const [answered, begun, untouched] = worker.calls as PaperCall[];
    worker.answer();
    worker.begin();
    end(worker);
    expect(answered!.outcome).toBe('done');
    expect(begun!.outcome).toBeInstanceOf(EOFError);
    expect(untouched!.outcome).toBe('open');
    for (let round = 0; untouched!.outcome === 'open'; round++) {
      expect(round).toBeLessThan(40);
      vi.advanceTimersByTime(2);
      for (const other of workers) if (other !== worker && other.calls.length > 0) other.do();
    }
    expect([...first, ...behind].filter(({ outcome }) => outcome instanceof Error)).toEqual([begun]);
  });

  test('before it has done anything fails its first call, which is not tried again', () => {
    const call = order(unknown, 'a');
    end(workers[0]!);
    expect(call.outcome).toBeInstanceOf(EOFError);
    expect(workers[1]!.calls).toEqual([]);
  });

  test('between two calls is reported, and the next one is done by another', () => {
    order(unknown, 'a');
    workers[0]!.do();
    const call = order(unknown, 'b');
    end(workers[0]!);
    expect(complaints).toEqual(['A worker thread ended while it had nothing to do.']);
    workers[1]!.do();
    expect(call.outcome).toBe('done');
  });
});

describe('A call that cannot be sent', () => {
  test('fails for its caller, and the worker does the next', () => {
    expect(() => order(unknown, 'unsendable')).toThrow(/An argument of unsendable\(\) cannot be copied/);
    order(unknown, 'b');
    expect(workers.map(namesOf)).toEqual([['b']]);
  });

  test('after it has waited fails, and the one behind it has its turn', () => {
    limit = 1;
    order(unknown, 'a');
    const [bad, good] = [order(unknown, 'unsendable'), order(unknown, 'c')];
    workers[0]!.do();
    expect(bad.outcome).toBeInstanceOf(TypeError);
    workers[0]!.do();
    expect(good.outcome).toBe('done');
  });
});
