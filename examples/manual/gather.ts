// The shortest group.
//
// `gather` runs functions side by side, each in a task of its own, and gives their results in order and with their types.
// If one fails, the others are cancelled, and its error comes out as it is. It is what `Promise.all` is elsewhere; that
// one cannot be used for Curio's operations, because a task does only one of them at a time.

import { gather, run, sleep } from 'curio';

async function temperature(seconds: number) {
  await sleep(seconds);
  return 21.5;
}

async function weather(seconds: number) {
  await sleep(seconds);
  return 'sunny';
}

async function main() {
  const [degrees, sky] = await gather([() => temperature(2), () => weather(1)]);
  console.log(degrees.toFixed(1), sky.toUpperCase());

  try {
    await gather([
      () => sleep(1000),
      async () => {
        throw new RangeError('no thermometer');
      },
    ]);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.log('Failed:', error.message);
  }
}

await run(main);

/* Prints:
21.5 SUNNY
Failed: no thermometer
*/
