// An event of one's own.
//
// `SchedBarrier` is one of the two places where tasks can be put to sleep, and from which locks, events and queues are
// made. `suspend` puts the calling task there, with a word for what it waits for; `wake` lets all of them out. That
// is all it takes to write an event. Look for the state of the waiting tasks in the output: it is that word.

import { gather, run, sleep, spawn } from 'curio';
import { SchedBarrier } from 'curio/sched';

class Event {
  #set = false;
  readonly #waiting = new SchedBarrier();

  async wait() {
    if (!this.#set) await this.#waiting.suspend('EVENT_WAIT');
  }

  async set() {
    this.#set = true;
    await this.#waiting.wake();
  }
}

async function waiter(name: string, event: Event) {
  await event.wait();
  console.log(name, 'goes');
}

async function main() {
  const event = new Event();
  const early = await spawn(waiter, 'early', event);
  const alsoEarly = await spawn(waiter, 'also early', event);
  await sleep(1);
  console.log(early.state, alsoEarly.state);
  await event.set();
  await gather([() => early.join(), () => alsoEarly.join(), () => waiter('late', event)]);
}

await run(main);

/* Prints:
EVENT_WAIT EVENT_WAIT
early goes
also early goes
late goes
*/
