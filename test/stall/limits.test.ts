// Tasks that do not block: hard timeouts, which end them, and longblock, which shows where they are. All in real time and with
// the real thread: nothing else can tell.

import {
  Local,
  run,
  sleep,
  spawn,
  TaskKilled,
  TaskTimeout,
  TimeoutCancellationError,
  timeoutAfter,
  wait,
} from 'curio';
import { longblock } from 'curio/debug';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

const PATIENT = 60_000;

function forEver(): never {
  for (let n = 0; ; n++) Math.sqrt(n);
}

describe('timeoutAfter({ hard: true })', () => {
  test(
    'ends a loop that never blocks, and the others go on',
    () =>
      run({ logger: recorder() }, async () => {
        const log: string[] = [];
        await spawn({ daemon: true }, async () => {
          for (;;) {
            await sleep(0.01);
            log.push('tick');
          }
        });
        const other = await spawn(async () =>
          wait(new Promise((resolve) => setTimeout(resolve, 30, 'settled'))),
        );
        // Long enough for a busy machine to reach the loop before.
        const error = await timeoutAfter({ hard: true }, 0.5, async () => {
          await sleep(0);
          forEver();
        }).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(TaskTimeout);
        expect((error as Error).cause).toBeInstanceOf(TaskKilled);
        expect(await other.join()).toBe('settled');
        log.length = 0;
        await sleep(0.1);
        expect(log).toContain('tick');
      }),
    PATIENT,
  );

  // Each in several runs: what a moment is like in which such a loop is stopped is a matter of luck.
  for (const [what, loop] of Object.entries({
    'one that only awaits': async () => {
      for (;;) await null;
    },
    'one that awaits what it calls': async () => {
      const step = async () => {
        await null;
      };
      for (;;) await step();
    },
    'one over an asynchronous generator': async () => {
      async function* numbers() {
        for (let n = 0; ; n++) yield n;
      }
      for await (const n of numbers()) Math.sqrt(n);
    },
  })) {
    test(
      `ends ${what}, and the process lives`,
      () =>
        run({ logger: recorder() }, async () => {
          for (let round = 0; round < 5; round++) {
            const error = await timeoutAfter({ hard: true }, 0.1, loop).catch((caught: unknown) => caught);
            expect(error).toBeInstanceOf(TaskTimeout);
            const local = new Local<{ tag: number }>();
            local.tag = round;
            await wait(new Promise((resolve) => setTimeout(resolve, 1)));
            expect(local.tag).toBe(round);
          }
        }),
      PATIENT,
    );
  }

  test(
    'ends one that comes back from an ordinary promise and then spins',
    () =>
      run({ logger: recorder() }, async () => {
        const spins = timeoutAfter({ hard: true }, 0.1, async () => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          forEver();
        });
        await expect(spins).rejects.toThrow(TaskTimeout);
        expect(await sleep(0)).toBeGreaterThan(0);
      }),
    PATIENT,
  );

  test(
    'twice in a row',
    () =>
      run({ logger: recorder() }, async () => {
        for (let n = 0; n < 2; n++)
          await expect(timeoutAfter({ hard: true }, 0.06, forEver)).rejects.toThrow(TaskTimeout);
      }),
    PATIENT,
  );

  test('gives results and errors as the soft one does', () =>
    run(async () => {
      expect(await timeoutAfter({ hard: true }, 10, async (a: number, b: number) => a + b, 2, 3)).toBe(5);
      const bad = timeoutAfter({ hard: true }, 10, async () => {
        throw new RangeError('mine');
      });
      await expect(bad).rejects.toThrow(RangeError);
      await expect(timeoutAfter({ hard: true }, 0.01, () => sleep(1000))).rejects.toThrow(TaskTimeout);
      expect(await timeoutAfter({ hard: true }, null, async () => 'no limit')).toBe('no limit');
    }));

  test('a timeout around it cancels what runs, and is told as usual', () =>
    run(async () => {
      const log: unknown[] = [];
      const outer = timeoutAfter(0.02, async () => {
        await timeoutAfter({ hard: true }, 10, async () => {
          try {
            await sleep(1000);
          } finally {
            log.push('cleaned up');
          }
        }).catch((error: unknown) => {
          log.push(error instanceof TimeoutCancellationError);
          throw error;
        });
      });
      await expect(outer).rejects.toThrow(TaskTimeout);
      expect(log).toEqual(['cleaned up', true]);
    }));

  test('a cancellation ends what runs before it goes on', () =>
    run(async () => {
      const log: string[] = [];
      const task = await spawn(async () => {
        await timeoutAfter({ hard: true }, 10, async () => {
          try {
            await sleep(1000);
          } finally {
            log.push('cleaned up');
          }
        });
      });
      await sleep(0.01);
      await task.cancel();
      expect(log).toEqual(['cleaned up']);
    }));

  test('what is no number or function is a TypeError at the call', () =>
    run(async () => {
      expect(() => timeoutAfter({ hard: true }, Number.NaN, async () => 1)).toThrow(TypeError);
      expect(() => timeoutAfter({ hard: true }, 1, 5 as never)).toThrow(TypeError);
    }));
});

describe('longblock', () => {
  test(
    'shows the stack of what blocks, while it blocks',
    async () => {
      const log = recorder();
      let before = -1;
      await run({ debug: longblock({ log, maxTime: 0.05 }) }, async function main() {
        const shown = () => log.lines.some((line) => line.includes('and is here'));
        // Only the thread can end this, by writing to the log on top of it.
        (function busy() {
          for (let n = 0; !shown(); n++) Math.sqrt(n);
        })();
        before = log.lines.length;
      });
      expect(before).toBe(1);
      expect(log.lines[0]).toMatch(
        /Task\(id=\d+, name='main', state='RUNNING'\) has been running for .* in busy/s,
      );
      expect(log.lines.at(-1)).toContain('nothing else could run meanwhile');
    },
    PATIENT,
  );
});
