// Ctrl-C, as a program that wants to end cleanly sees it. The test sends the signals.

import { run, SignalEvent, SignalQueue, sleep, spawn, type Task, timeoutAfter } from 'curio';

const cases: Record<string, () => Promise<unknown>> = {
  /** Waits for Ctrl-C, cancels what it does, and ends. */
  async goodbye() {
    await run(async () => {
      using interrupt = new SignalEvent('SIGINT');
      const work: Task<unknown> = await spawn(async () => {
        try {
          for (;;) await sleep(3600);
        } finally {
          await sleep(0.001);
          console.log('saved');
        }
      });
      console.log('ready');
      await interrupt.wait();
      console.log('interrupted');
      await work.cancel();
    });
    console.log('goodbye');
  },

  /** Nobody else keeps the process alive while a task waits. */
  async queue() {
    await run(async () => {
      using signals = new SignalQueue('SIGUSR2', 'SIGHUP', 'SIGTERM');
      console.log('ready');
      for await (const name of signals) {
        console.log(`got ${name}`);
        if (name === 'SIGTERM') break;
      }
    });
    console.log('goodbye');
  },

  /** While it is watched the signal does not end the process; afterwards it does. */
  async freed() {
    const event = new SignalEvent('SIGINT');
    await run(async () => {
      console.log('watching');
      await event.wait();
    });
    console.log('free');
    setTimeout(() => console.log('not reached'), 60_000);
  },

  /** Nobody watches. */
  async nobody() {
    await run(async () => {
      console.log('ready');
      await sleep(3600);
    });
  },

  /** Watching alone keeps nothing alive. */
  async idle() {
    const event = new SignalEvent('SIGINT');
    await run(() => timeoutAfter(0.001, () => event.wait()).catch(() => console.log('nothing came')));
    const other = new SignalQueue('SIGHUP');
    console.log(other.size());
  },
};

await cases[process.argv[2] as string]!();
