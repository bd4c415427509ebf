// What looking costs a program at which nobody looks: the same switches between two tasks, with a monitor that has no clients, with
// the flight recorder, and with neither. Each keeps its kernel from round to round.

import { Kernel, sleep, spawn } from 'curio';
import { flightRecorder } from 'curio/debug';
import { Monitor } from 'curio/monitor';

function switching(makeKernel) {
  let kernel;
  return (n) => {
    kernel ??= makeKernel();
    return kernel.run(async () => {
      const loop = async () => {
        for (let i = 0; i < n / 2; i++) await sleep(0);
      };
      const tasks = [await spawn(loop), await spawn(loop)];
      for (const task of tasks) await task.join();
    });
  };
}

const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };

export const scenarios = {
  'task switch': {
    off: switching(() => new Kernel()),
    monitor: switching(() => {
      const kernel = new Kernel({ logger: quiet });
      new Monitor(kernel, { port: 0 });
      return kernel;
    }),
    recorder: switching(() => new Kernel({ debug: flightRecorder({ signal: null }) })),
  },
};
