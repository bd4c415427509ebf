// Makes a program's time pass without waiting, so that examples can keep the tutorial's durations:
//
//   node --import tsx --import ./test/kit/fast-clock.ts examples/tutorial/01-hello.ts
//
// It replaces setTimeout, clearTimeout and performance.now, before the program is loaded. As soon as the program has had
// nothing to do for a few turns of the event loop, time jumps to the next timer, and a millisecond further, because real
// timers are late as well. A timer of a minute or more stays a real one: in the examples a long sleep means "until
// somebody comes", and whoever comes is not part of the program. Date is left as it is.
//
// It must know nothing of Curio; sockets, signals and pipes work as ever.

const LONG = 60_000;
const LATE = 1;
const QUIET_TURNS = 5;

const realSetTimeout = globalThis.setTimeout;
const realClearTimeout = globalThis.clearTimeout;

let now = performance.now();
let looking = false;
const pending = new Set<FastTimer>();

class FastTimer {
  readonly deadline: number;
  readonly fire: () => void;
  #referenced = true;

  constructor(deadline: number, fire: () => void) {
    this.deadline = deadline;
    this.fire = fire;
  }

  hasRef(): boolean {
    return this.#referenced;
  }

  ref(): this {
    this.#referenced = true;
    look();
    return this;
  }

  unref(): this {
    this.#referenced = false;
    return this;
  }

  [Symbol.dispose](): void {
    pending.delete(this);
  }
}

/** Jumps once nothing happens any more, if a timer is there that keeps the program alive. */
function look(turns = QUIET_TURNS): void {
  if (looking) return;
  looking = true;
  const turn = (left: number) => {
    if (left > 0) {
      setImmediate(turn, left - 1);
      return;
    }
    looking = false;
    jump();
    if (pending.size > 0 && someReferenced()) look();
  };
  turn(turns);
}

function someReferenced(): boolean {
  for (const timer of pending) if (timer.hasRef()) return true;
  return false;
}

function jump(): void {
  if (!someReferenced()) return;
  let next: FastTimer | undefined;
  for (const timer of pending) if (next === undefined || timer.deadline < next.deadline) next = timer;
  if (next === undefined) return;
  pending.delete(next);
  now = Math.max(now, next.deadline) + LATE;
  next.fire();
}

function setTimeout(callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): unknown {
  if (ms >= LONG) return realSetTimeout(callback, ms, ...args);
  const timer = new FastTimer(now + Math.max(ms, 1), () => callback(...args));
  pending.add(timer);
  look();
  return timer;
}

function clearTimeout(timer: unknown): void {
  if (timer instanceof FastTimer) pending.delete(timer);
  else realClearTimeout(timer as NodeJS.Timeout);
}

Object.assign(globalThis, { setTimeout, clearTimeout });
performance.now = () => now;
