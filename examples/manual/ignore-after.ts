// A limit that nobody minds.
//
// `ignoreAfter` is for work that may as well not be finished. Nothing is thrown when the time is up: the call gives
// `undefined`, or whatever `timeoutResult` says, and a scope tells by its `expired`.

import { ignoreAfter, run, sleep } from 'curio';

async function lookUp(seconds: number) {
  await sleep(seconds);
  return 'the answer';
}

async function main() {
  console.log(await ignoreAfter(5, lookUp, 1));
  console.log(await ignoreAfter(5, lookUp, 60));
  console.log(await ignoreAfter({ timeoutResult: 'a guess' }, 5, lookUp, 60));

  const scope = ignoreAfter(5);
  await scope.run(async () => {
    console.log(await lookUp(1));
    console.log(await lookUp(60));
  });
  if (scope.expired) console.log('Five seconds for two answers were not enough');
}

await run(main);

/* Prints:
the answer
undefined
a guess
the answer
Five seconds for two answers were not enough
*/
