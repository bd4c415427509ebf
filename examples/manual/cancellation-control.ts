// Not now!
//
// Two steps that must be done together, or not at all: a task that is cancelled between them would leave half of the
// work behind. While `disableCancellation` is in force nothing interrupts the task. A request that comes meanwhile waits,
// and `checkCancellation` tells about it (a), so that the loop can end where it is good to end. Once cancellation is
// enabled again, the same call throws what has waited (b).
//
// The request comes after two and a half seconds, in the middle of a round, and the round is finished all the same.

import { CancelledError, checkCancellation, disableCancellation, run, sleep, spawn } from 'curio';

async function withdraw() {
  await sleep(1);
  console.log('withdrawn');
}

async function deposit() {
  await sleep(1);
  console.log('deposited');
}

async function transfers() {
  await disableCancellation(async () => {
    while (true) {
      await withdraw();
      await deposit();
      if (await checkCancellation()) break; // (a)
    }
  });
  console.log('between two transfers');
  try {
    await checkCancellation(); // (b)
  } catch (error) {
    if (error instanceof CancelledError) console.log('now I am cancelled');
    throw error;
  }
}

async function main() {
  const task = await spawn(transfers);
  await sleep(2.5);
  console.log('please stop');
  await task.cancel();

  // For a single operation there is a shorter form.
  await disableCancellation(deposit);
}

await run(main);

/* Prints:
withdrawn
deposited
please stop
withdrawn
deposited
between two transfers
now I am cancelled
deposited
*/
