// Who keeps everybody waiting?
//
// A scheduler activation is told whenever a task is created, runs, is suspended, and has ended. This one looks at the
// clock at the beginning and at the end of each turn, and speaks up when the turn took longer than it should: nothing
// else could run in the meantime. (`longblock` of 'curio/debug' is the same, ready made.)

import { Activation, run, sleep, spawn, type Task } from 'curio';

class LongBlock extends Activation {
  readonly #maxTime: number;
  #start = 0;

  constructor(maxTime: number) {
    super();
    this.#maxTime = maxTime;
  }

  override running() {
    this.#start = Date.now();
  }

  override suspended(task: Task) {
    const seconds = (Date.now() - this.#start) / 1000;
    if (seconds > this.#maxTime) console.log(`Long blocking in ${task.name}: ${seconds.toFixed(1)}`);
  }
}

function compute(seconds: number) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end);
}

async function modest() {
  for (let i = 0; i < 5; i++) await sleep(0.01);
}

async function greedy() {
  await sleep(0.02);
  compute(1.01);
  await sleep(0.02);
}

async function main() {
  const tasks = [await spawn(modest), await spawn(greedy)];
  for (const task of tasks) await task.join();
}

await run({ activations: [new LongBlock(0.5)] }, main);

/* Prints:
Long blocking in greedy: 1.0
*/
