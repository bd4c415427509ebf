// What another program says.
//
// `checkOutput` runs a program to its end and gives what it has written; `run` tells more: its exit code, and what it wrote to
// standard error. A program that fails, or is not there, or takes too long, is an exception, and afterwards nothing of it
// is left: when the timeout below is delivered, the process has been killed and has ended.

import { run as runTasks, TaskTimeout, timeoutAfter } from 'curio';
import { CalledProcessError, checkOutput, PIPE, run } from 'curio/subprocess';

async function main() {
  const sorted = await checkOutput(['sort'], { input: 'pear\napple\nfig\n' });
  console.log(sorted.toString().trimEnd());

  const counted = await run('echo two words | wc -w', { shell: true, stdout: PIPE });
  console.log(`${counted.stdout}`.trim(), 'with', counted.returncode);

  try {
    await checkOutput(['sh', '-c', 'echo no luck >&2; exit 3'], { stderr: PIPE });
  } catch (error) {
    if (!(error instanceof CalledProcessError)) throw error;
    console.log('It failed!', error.message);
  }

  try {
    await checkOutput(['no-such-program']);
  } catch (error) {
    console.log('It is not there:', (error as NodeJS.ErrnoException).code);
  }

  try {
    await timeoutAfter(1, () => checkOutput(['sleep', '3600']));
  } catch (error) {
    if (!(error instanceof TaskTimeout)) throw error;
    console.log('It took too long.');
  }
}

await runTasks(main);

/* Prints:
apple
fig
pear
2 with 0
It failed! The command 'sh -c 'echo no luck >&2; exit 3'' returned non-zero exit status 3.
no luck
It is not there: ENOENT
It took too long.
*/
