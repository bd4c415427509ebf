// Starts other programs, and lets its own end show whether they keep it alive. What it does is its argument.

import { closeSync, openSync } from 'node:fs';
import { run } from 'curio';
import { checkOutput, DEVNULL, PIPE, Popen, run as runCommand } from 'curio/subprocess';

const nap = ['sleep', '0.2'];

async function wait() {
  await new Popen(nap).wait();
}

async function read() {
  await new Popen(nap, { stdout: PIPE }).stdout.readall();
}

async function communicate() {
  await new Popen(nap, { stdin: PIPE, stdout: PIPE, stderr: PIPE }).communicate();
}

async function command() {
  await runCommand(nap, { captureOutput: true });
}

async function leave() {
  const p = new Popen(['sleep', '1000'], { stdin: PIPE, stdout: PIPE, stderr: DEVNULL });
  console.log(p.pid);
}

async function descriptors() {
  await checkOutput(['true']);
  const open: number[] = [];
  try {
    for (;;) open.push(openSync('/dev/null', 'r'));
  } catch {
    // None is left.
  }
  // None, then one pipe's worth, then two.
  for (const count of [0, 2, 3]) {
    for (let i = 0; i < count; i++) closeSync(open.pop() as number);
    console.log(await checkOutput(['echo', 'hello'], { stderr: PIPE }).then(String, (error) => error.code));
    for (let i = 0; i < count; i++) open.push(openSync('/dev/null', 'r'));
  }
  for (const fd of open) closeSync(fd);
  console.log(String(await checkOutput(['echo', 'hello'])));
}

const name = process.argv[2] as string;
await run({ wait, read, communicate, run: command, leave, descriptors }[name] as () => Promise<void>);
if (name !== 'leave' && name !== 'descriptors') console.log('done');
