// The ledger of cancellations: who asked, from where, when and where it was delivered, how the task ended.

import {
  disableCancellation,
  Event,
  type Logger,
  run,
  sleep,
  spawn,
  type Task,
  TaskGroup,
  timeoutAfter,
} from 'curio';
import { type CancellationLedger, cancellations } from 'curio/debug';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { type Recorder, recorder } from '../kit/recorder.ts';

interface Kept {
  ledger: CancellationLedger;
  log: Recorder;
}

async function keeping(
  main: (ledger: CancellationLedger) => unknown,
  options: Parameters<typeof cancellations>[0] = {},
): Promise<Kept> {
  const ledger = cancellations(options);
  const log = recorder();
  await run({ clock: new VirtualClock(), logger: log, debug: ledger }, () => main(ledger));
  return { ledger, log };
}

const swallow = () => {};

describe('the ledger', () => {
  test('has for each cancellation who asked, from where, when and where it was delivered, and the end', async () => {
    let [target, asker] = [] as Task<unknown>[];
    const { ledger, log } = await keeping(async () => {
      target = await spawn(async function target() {
        try {
          await new Event().wait();
        } finally {
          await sleep(0.5);
        }
      });
      await sleep(1);
      asker = await spawn(async function asker() {
        await target!.cancel();
      });
      await asker.join();
    });
    expect(ledger.entries).toEqual([
      {
        id: target!.id,
        name: 'target',
        error: 'TaskCancelled: TaskCancelled',
        cause: null,
        requestedBy: { id: asker!.id, name: 'asker' },
        requestedAt: [expect.stringMatching(/ledger\.test\.ts$/), expect.any(Number)],
        requested: expect.any(Number),
        delivered: expect.any(Number),
        operation: 'Event.wait()',
        ended: expect.any(Number),
        outcome: 'cancelled',
      },
    ]);
    const [{ requested, delivered, ended }] = ledger.entries as [CancellationLedger['entries'][0]];
    expect(delivered! - requested).toBe(0);
    expect(ended! - requested).toBeCloseTo(0.5);
    expect(log.lines).toEqual([]);
  });

  test('tells when a cancellation that was held back was delivered, and where', async () => {
    const { ledger } = await keeping(async () => {
      const task = await spawn(async function shielded() {
        await disableCancellation(() => sleep(0.75));
        await sleep(100);
      });
      await sleep(0.25);
      await task.cancel();
    });
    const [entry] = ledger.entries;
    expect(entry).toMatchObject({ operation: 'sleep()', outcome: 'cancelled' });
    expect(entry!.delivered! - entry!.requested).toBeCloseTo(0.5);
  });

  test('has those of groups and of the shutdown, with their reasons, and no timeouts', async () => {
    let joiner!: Task<unknown>;
    const { ledger } = await keeping(async () => {
      joiner = await spawn(async function joiner() {
        const group = new TaskGroup({ wait: 'any' });
        await group.spawn(async function quick() {});
        await group.spawn({ name: 'slow' }, () => sleep(100));
        await group.join();
      });
      await joiner.join();
      await timeoutAfter(1, () => sleep(10)).catch(swallow);
      await spawn({ name: 'left' }, () => sleep(100));
      await sleep(0);
    });
    expect(ledger.entries).toMatchObject([
      { name: 'slow', requestedBy: { id: joiner.id, name: 'joiner' }, cause: null },
      {
        name: 'left',
        requestedBy: null,
        cause: 'RuntimeError: The kernel shuts down.',
        outcome: 'cancelled',
      },
    ]);
    expect(String(ledger).split('\n')).toHaveLength(4);
    expect(String(ledger)).toMatch(
      /\d+ left +RuntimeError: The kernel shuts down\. +- +\+0 s +sleep\(\) +\+0 s +cancelled/,
    );
  });

  test('keeps the newest only', async () => {
    const { ledger } = await keeping(
      async () => {
        for (let n = 0; n < 25; n++) await (await spawn({ name: `task ${n}` }, () => sleep(100))).cancel();
      },
      { size: 10 },
    );
    expect(ledger.entries.map(({ name }) => name)).toEqual(
      Array.from({ length: 10 }, (_, n) => `task ${n + 15}`),
    );
  });

  test('can be kept to some tasks', async () => {
    const { ledger } = await keeping(
      async () => {
        for (const name of ['spam', 'eggs']) await (await spawn({ name }, () => sleep(100))).cancel();
      },
      { filter: new Set(['eggs']) },
    );
    expect(ledger.entries.map(({ name }) => name)).toEqual(['eggs']);
  });
});

describe('what takes long is logged', () => {
  test('once while it lasts, and once when it is over', async () => {
    const { log } = await keeping(async function main() {
      const task = await spawn(async function slow() {
        try {
          await sleep(100);
        } finally {
          await sleep(3);
        }
      });
      await sleep(1);
      await task.cancel();
    });
    expect(log.lines).toHaveLength(2);
    expect(log.lines[0]).toMatch(
      /^warn: Task\(id=\d+, name='slow'\) was cancelled 1 s ago and still runs, in state TIME_SLEEP \(sleep\(\)\)\. Task\(id=\d+, name='anonymous'\) asked for it at .*ledger\.test\.ts:\d+; it was delivered in sleep\(\) 0 s later\./,
    );
    expect(log.lines[1]).toMatch(/^warn: Task\(id=\d+, name='slow'\) ended 3 s after it was cancelled\./);
  });

  test('with the advice that fits: an ordinary promise, a shield', async () => {
    const { log } = await keeping(
      async function main() {
        let release = swallow;
        const held = await spawn(async function held() {
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        });
        const shielded = await spawn(async function shielded() {
          await disableCancellation(() => sleep(5));
          await sleep(0);
        });
        await sleep(1);
        await held.cancel({ blocking: false });
        await shielded.cancel();
        release();
        await held.wait();
      },
      { slow: 2 },
    );
    const late = log.lines.filter((line) => line.includes('still runs'));
    expect(late).toHaveLength(2);
    expect(late.find((line) => line.includes("'held'"))).toMatch(
      /has not been delivered\. It awaits an ordinary promise/,
    );
    expect(late.find((line) => line.includes("'shielded'"))).toMatch(
      /It is shielded by disableCancellation\(\)/,
    );
  });

  test('not for a task that ends in time', async () => {
    const { log } = await keeping(async () => {
      const task = await spawn(() => sleep(100));
      await sleep(1);
      await task.cancel();
      await sleep(100);
    });
    expect(log.lines).toEqual([]);
  });
});

describe('a task that swallows its cancellation is logged', () => {
  test('if it goes on as before and returns', async () => {
    const { log, ledger } = await keeping(async () => {
      const task = await spawn(async function deaf() {
        for (let n = 0; n < 3; n++) await sleep(0.25).catch(swallow);
      });
      await sleep(0.1);
      await task.cancel();
    });
    expect(log.lines).toEqual([
      expect.stringMatching(
        /^warn: Task\(id=\d+, name='deaf'\) swallowed its cancellation: it went on for 2 more turns and returned\./,
      ),
    ]);
    expect(ledger.entries[0]).toMatchObject({ outcome: 'returned' });
  });

  test('but not if it returns when it is asked to', async () => {
    const { log, ledger } = await keeping(async () => {
      const task = await spawn(async function polite() {
        await sleep(100).catch(swallow);
        return 7;
      });
      await sleep(1);
      await task.cancel();
    });
    expect(log.lines).toEqual([]);
    expect(ledger.entries[0]).toMatchObject({ outcome: 'returned' });
  });

  test('to the logger and at the level that were asked for', async () => {
    const own = recorder();
    const { log } = await keeping(
      async () => {
        const task = await spawn(async function deaf() {
          for (let n = 0; n < 3; n++) await sleep(0.25).catch(swallow);
        });
        await sleep(0.1);
        await task.cancel();
      },
      { level: 'info', log: own as Logger },
    );
    expect(log.lines).toEqual([]);
    expect(own.of('info')).toHaveLength(1);
  });
});

test('a ledger has a sensible size and patience', () => {
  expect(() => cancellations({ size: 0 })).toThrow(RangeError);
  expect(() => cancellations({ slow: Number.NaN })).toThrow(TypeError);
  expect(() => cancellations({ filter: ['spam'] as never })).toThrow(/set of task names, not an array/);
});
