// Whatever a run leaves behind, the process ends when run() has settled.

import {
  clock,
  currentSignal,
  Event,
  ignoreAfter,
  Kernel,
  run,
  SignalEvent,
  sleep,
  spawn,
  timeoutAfter,
  wait,
} from 'curio';
import { logcrash, longblock } from 'curio/debug';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const started = performance.now();

await run({ logger: quiet, debug: [logcrash, longblock] }, async () => {
  await spawn(() => sleep(1000));
  await spawn(() => new Event().wait());
  await spawn(() => wait(new Promise(() => {})));
  await spawn(() => timeoutAfter(1000, sleep, 2000));
  await spawn(async () => {
    const event = new SignalEvent('SIGUSR2');
    await event.wait();
  });
  // Swallows its cancellation: the kernel looks after it for ten seconds, if it lives so long.
  await spawn(async () => {
    await sleep(1000).catch(() => {});
    await sleep(0.001);
  });
  await ignoreAfter(1000, clock);
  currentSignal();
  await sleep(0.001);
});

// A kernel that is not shut down leaves nothing running either.
const kernel = new Kernel();
await kernel.run(async () => {
  await spawn(() => sleep(1000));
  const task = await spawn(() => sleep(1000).catch(() => sleep(1000)));
  await sleep(0);
  await task.cancel({ blocking: false });
  await sleep(0);
});
await kernel.run();

process.on('exit', () => {
  console.log(
    process
      .getActiveResourcesInfo()
      .filter((name) => !/Pipe|TTY|FS|Tick/.test(name))
      .join() || 'nothing',
  );
  console.log(performance.now() - started < 5000 ? 'at once' : 'late');
});
