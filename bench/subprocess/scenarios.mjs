// What is measured of subprocesses: each scenario starts n of them, one after the other, once for each peer.

import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { run } from 'curio';
import { PIPE, run as runCommand } from 'curio/subprocess';
import { execa } from 'execa';

const exec = promisify(execFile);

const times = (once) => async (n) => {
  for (let i = 0; i < n; i++) await once();
};

function check(output) {
  if (String(output).trim() !== 'hello') throw new Error(`'${output}' instead of hello`);
}

const captured = ['echo', ['hello']];

export const scenarios = {
  'run a command': {
    curio: (n) => run(() => times(() => runCommand(['true']))(n)),
    execa: times(() => execa('true', { stdio: 'inherit' })),
    spawn: times(() => new Promise((resolve) => spawn('true', { stdio: 'inherit' }).on('close', resolve))),
  },
  'run a command and take its output': {
    curio: (n) =>
      run(() =>
        times(async () => check((await runCommand(captured.flat(), { stdout: PIPE, stderr: PIPE })).stdout))(
          n,
        ),
      ),
    execa: times(async () => check((await execa(...captured)).stdout)),
    execFile: times(async () => check((await exec(...captured)).stdout)),
  },
};
