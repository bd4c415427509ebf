// A parallel build: commands that need each other's results, as many at once as the machine has cores.
//
// Each target is a task. It waits until everything it needs has been made, then for one of the cores, and runs its command. If a command
// fails, `gather` cancels all the other tasks: commands that run are killed with all they have started, and the rest never begin.
// So does Ctrl-C.

import { availableParallelism } from 'node:os';
import { Event, gather, run, Semaphore } from 'curio';
import { CalledProcessError, checkOutput, STDOUT } from 'curio/subprocess';

interface Target {
  command: string;
  needs?: string[];
}

type Targets = Record<string, Target>;

/** Makes all targets, and gives what their commands have written. */
async function build(targets: Targets): Promise<string[]> {
  const core = new Semaphore(availableParallelism());
  const made = new Map(Object.keys(targets).map((name) => [name, new Event()]));

  async function make(name: string, { command, needs = [] }: Target): Promise<string> {
    for (const other of needs) await made.get(other)!.wait();
    const output = await core.with(() =>
      checkOutput(command, { shell: true, stderr: STDOUT, processGroup: true }),
    );
    await made.get(name)!.set();
    return output.toString();
  }

  for (const name of Object.keys(targets)) check(targets, name, []);
  return await gather(
    Object.entries(targets).map(
      ([name, target]) =>
        () =>
          make(name, target),
    ),
  );
}

/** Throws if the target at the end of `path` cannot be made: a task would wait for ever. */
function check(targets: Targets, name: string, path: string[]): void {
  if (path.includes(name)) throw new Error(`A circle: ${[...path, name].join(' needs ')}`);
  if (targets[name] === undefined)
    throw new Error(`Nothing says how to make ${name}, which ${path.at(-1)} needs`);
  for (const other of targets[name].needs ?? []) check(targets, other, [...path, name]);
}

async function show(targets: Targets) {
  try {
    console.log((await build(targets)).join('').trimEnd());
  } catch (error) {
    if (error instanceof CalledProcessError)
      console.log(`${error.message} It wrote: ${error.output}`.trimEnd());
    else console.log((error as Error).message);
  }
}

await run(async () => {
  await show({
    program: { command: 'echo link the program', needs: ['kernel', 'sockets'] },
    kernel: { command: 'echo compile the kernel', needs: ['headers'] },
    sockets: { command: 'echo compile the sockets', needs: ['headers'] },
    headers: { command: 'echo write the headers' },
  });
  await show({
    program: { command: 'echo never', needs: ['long', 'wrong'] },
    long: { command: 'sleep 3600' },
    wrong: { command: 'echo line 7 is wrong; exit 2' },
  });
  await show({
    hen: { command: 'echo never', needs: ['egg'] },
    egg: { command: 'echo never', needs: ['hen'] },
  });
});

/* Prints:
link the program
compile the kernel
compile the sockets
write the headers
The command 'echo line 7 is wrong; exit 2' returned non-zero exit status 2. It wrote: line 7 is wrong
A circle: hen needs egg needs hen
*/
