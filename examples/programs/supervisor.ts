// A supervisor: starts programs, shows what they write, starts again what crashes, and ends all of them when it is ended itself.
//
//     npx tsx examples/programs/supervisor.ts 'web=node server.js' 'mail=node mailer.js'
//
// Each program has a task. A program that ends well is left alone; one that crashes is started again, a second later at first, then two,
// four… Ctrl-C (or `kill`) cancels the tasks, and each asks its program to end, and kills it if that takes too long.

import { clock, gather, ignoreAfter, run, SignalEvent, sleep, taskGroup } from 'curio';
import { PIPE, Popen, STDOUT } from 'curio/subprocess';

/** How long a program may take to end, in seconds. */
const GRACE = 2;
/** The longest pause before a program is started again, and how long it must have run to be thought well of again. */
const LONGEST = 60;

async function supervise(name: string, command: string) {
  let pause = 1;
  while (true) {
    const started = await clock();
    const code = await play(name, command);
    if (code === 0) break;
    if ((await clock()) - started > LONGEST) pause = 1;
    console.log(`${name} has ended with ${code}, and is started again in ${pause} s`);
    await sleep(pause);
    pause = Math.min(pause * 2, LONGEST);
  }
  console.log(`${name} is done`);
}

/** Runs a program to its end, and gives what it ended with. It does not outlive this. */
async function play(name: string, command: string): Promise<number> {
  const program = new Popen(command, { shell: true, stdout: PIPE, stderr: STDOUT, processGroup: true });
  try {
    for await (const line of program.stdout) console.log(`${name}: ${line.toString().trimEnd()}`);
    return await program.wait();
  } finally {
    if (program.poll() === null) {
      program.terminate();
      await ignoreAfter(GRACE, () => program.wait());
      program.kill();
      console.log(`${name} was ended: ${await program.wait()}`);
    }
  }
}

/** From `name=command` to both. */
function parsed(program: string): [name: string, command: string] {
  const [, name, command] = /^(\w+)=(.+)$/s.exec(program) ?? [];
  if (name === undefined || command === undefined) {
    throw new Error(`Programs are given as name=command, not as ${program}`);
  }
  return [name, command];
}

async function main(programs: [name: string, command: string][]) {
  using end = new SignalEvent('SIGINT', 'SIGTERM');
  // Over when the signal has come, or all programs are done.
  await taskGroup({ wait: 'any' }, async (group) => {
    await group.spawn(() => end.wait());
    await group.spawn(() => gather(programs.map((program) => () => supervise(...program))));
  });
}

await run(main, process.argv.slice(2).map(parsed));
