/*
 * The thread that watches. Every 50 ms it looks whether the kernels' thread has moved; when that has not for longer than somebody
 * allows, it stops it for a moment and lets it say where it is. Guests, such as the monitor's server, live here as well.
 */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { Guest, Stall, WatchThread } from './guest.ts';
import { Holder } from './hold.ts';
import { sampleRunning } from './samples.ts';
import type { Order, Question, Reply, WatchData } from './watch.ts';

const LOOK = 50;
/** So long may an answer take before the thread counts as stuck: in one turn of a task, and otherwise. */
const PATIENCE = 100;
const LONG_PATIENCE = 250;

// Where the pulse says what; see kernel/pulse.ts, which this thread does not load.
const TASK = 0;
const TURNS = 1;

const { pulse, desk, main } = workerData as WatchData;
const port = parentPort!;
const holder = main ? new Holder(desk, () => ask('pong')) : null;

const waiting = new Map<number, (reply: Reply) => void>();
let lastNumber = 0;

let turns = pulse[TURNS] as number;
/** When the other thread was last known to move. */
let moved = performance.now();
let asked = false;

let limit = Number.POSITIVE_INFINITY;
let hard = false;
/** When to say or do something about the stall at hand; null when all has been said. */
let next: number | null = null;

function ask(question: string, ...args: unknown[]): Promise<unknown> {
  const number = ++lastNumber;
  const order: Question = { number, question, args };
  return new Promise((resolve, reject) => {
    waiting.set(number, (reply) => {
      waiting.delete(number);
      if ('error' in reply) reject(new Error(reply.error));
      else resolve(reply.value);
    });
    port.postMessage(order);
  });
}

function late(ms: number): Promise<typeof LATE> {
  return new Promise((resolve) => setTimeout(() => resolve(LATE), ms));
}
const LATE = Symbol('late');

function stir(): void {
  moved = performance.now();
  next = limit;
}

function look(): void {
  const now = performance.now();
  const running = pulse[TASK] as number;
  if (pulse[TURNS] !== turns) {
    turns = pulse[TURNS] as number;
    stir();
  } else if (running === 0 && limit === Number.POSITIVE_INFINITY) stir();
  // A task that comes back from an ordinary promise has no turn that shows: does the thread still answer?
  else if (running === 0 && !asked) {
    asked = true;
    void ask('pong').then(() => {
      asked = false;
      stir();
    });
  }
  const still = now - moved;
  if (next !== null && still >= next && holder !== null) void stalled(still);
}

async function stalled(still: number): Promise<void> {
  next = null;
  const turn = turns;
  const again = await holder!.hold(async (held) => {
    const { terminate, wait } = (await held.ask('stalled', turn, still / 1000)) as {
      terminate: boolean;
      wait: number | null;
    };
    if (terminate) held.terminate();
    return wait;
  });
  // Not stopped at all: it is in a call that is not JavaScript. Later, perhaps.
  if (turn === turns && next === null)
    next = again === undefined ? still + 1000 : again === null ? null : still + again;
}

const guests = new Map<number, Promise<Guest>>();

/** Whether a task keeps the other thread from moving. */
function stall(): Stall | null {
  const still = performance.now() - moved;
  const task = pulse[TASK] as number;
  return task === 0 || pulse[TURNS] !== turns || still < 2 * LOOK ? null : { task, seconds: still / 1000 };
}

const me: WatchThread = {
  pid: process.pid,
  async ask(question, ...args) {
    const stuck = stall();
    if (stuck !== null) return { stuck };
    const answered = ask(question, ...args).then((value) => ({ value }));
    const asked = performance.now();
    let turn = pulse[TURNS] as number;
    let began = asked;
    for (;;) {
      const first = await Promise.race([answered, late(PATIENCE / 10)]);
      if (first !== LATE) return first;
      const now = performance.now();
      if (pulse[TURNS] !== turn) {
        turn = pulse[TURNS] as number;
        began = now;
      }
      const task = pulse[TASK] as number;
      // One turn that takes so long is no reason to wait for its end; many, or code outside tasks, get more time.
      const isLong = task !== 0 && now - began >= PATIENCE;
      if (!isLong && now - asked < LONG_PATIENCE) continue;
      void answered.catch(() => {
        // swallows: it came too late, and there are no tasks in this thread.
      });
      return { stuck: stall() ?? { task, seconds: (now - began) / 1000 } };
    }
  },
  tell: (question, ...args) => ask(question, ...args),
  hold: (work) => (holder === null ? Promise.resolve(undefined) : holder.hold(work)),
  sample: (ms) => sampleRunning(ms, 1, () => pulse[TASK] as number),
};

port.on('message', (order: Order) => {
  if (order.do === 'reply') waiting.get(order.reply.number)?.(order.reply);
  else if (order.do === 'limits') {
    limit = order.seconds === null ? Number.POSITIVE_INFINITY : order.seconds * 1000;
    hard = order.hard;
    if (hard) limit = Math.min(limit, LOOK);
    stir();
  } else if (order.do === 'admit') guests.set(order.guest, admit(order.url, order.data));
  else if (order.do === 'dismiss') void dismiss(order.guest);
  else void stop();
});

async function admit(url: string, data: unknown): Promise<Guest> {
  // From source it is `require` that knows TypeScript here.
  const module = url.endsWith('.ts') ? createRequire(url)(fileURLToPath(url)) : await import(url);
  return (module as { open: (thread: WatchThread, data: unknown) => Guest }).open(me, data);
}

async function dismiss(number: number): Promise<void> {
  const guest = guests.get(number);
  guests.delete(number);
  await (await guest)?.close();
  port.postMessage({ gone: number });
}

async function stop(): Promise<void> {
  clearInterval(looking);
  for (const guest of guests.values()) await (await guest).close();
  await holder?.end();
  port.close();
}

const looking = setInterval(look, LOOK);
