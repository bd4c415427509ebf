// What sockets keep alive, and what they load: seen from outside, in processes of their own.

import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { drivers } from '../kit/drivers.ts';
import { Program } from '../kit/program.ts';

const start = (name: string, env: Record<string, string>) =>
  new Program(`test/programs/${name}.ts`, { env, fast: false }).ended;

describe.each(drivers)('on the %s driver', (driver) => {
  const env = { CURIO_DRIVER: driver };

  test('a task that waits for a client keeps the process alive, and one left over after run does not', async () => {
    const running = new Program('test/programs/io-alive.ts', { env, fast: false });
    await running.prints('\n');
    const [, port] = running.stdout.split(' ');
    const client = connect(Number(port), '127.0.0.1').resume();
    const { stdout, stderr, code } = await running.ended;
    client.destroy();
    expect(stderr).toBe('');
    expect(stdout.split('\n').slice(1)).toEqual(['accepted', 'first run over', 'second run over', '']);
    expect(code).toBe(0);
  });

  test('a driver is loaded when the first socket is made, not before', async () => {
    const { stdout } = await start('io-lazy', env);
    expect(stdout).toBe(`loaded: nothing\ndriver: ${driver}\n`);
  });
});

test('asking for a driver that does not exist is an error that names the choice', async () => {
  const { stderr, code } = await start('io-lazy', { CURIO_DRIVER: 'magic' });
  expect(stderr).toMatch(/CURIO_DRIVER is 'posix' or 'portable', not 'magic'/);
  expect(code).toBe(1);
});

test('asking for the posix driver without its addon says so, and without asking the portable one runs', async () => {
  const NODE_OPTIONS = '--no-addons';
  const { stderr, code } = await start('io-lazy', { CURIO_DRIVER: 'posix', NODE_OPTIONS });
  expect(stderr).toMatch(/CURIO_DRIVER asks for the posix driver, but/);
  expect(code).toBe(1);
  const { stdout } = await start('io-lazy', { NODE_OPTIONS });
  expect(stdout).toBe('loaded: nothing\ndriver: portable\n');
});

test.each(['bun', 'deno'])(
  '%s, which says that it is Node and lacks what the addon needs, gets the portable driver',
  async (name) => {
    const pretend = `Object.defineProperty(process,'versions',{value:{...process.versions,${name}:'1.0.0'}})`;
    const NODE_OPTIONS = `--import data:text/javascript,${pretend}`;
    const { stdout } = await start('io-lazy', { NODE_OPTIONS });
    expect(stdout).toBe('loaded: nothing\ndriver: portable\n');
  },
);

test.each(drivers)(
  'kernels in several threads speak to each other, and one that is ended leaves no socket (%s)',
  async (driver) => {
    const { stdout, stderr, code } = await start('io-threads', { CURIO_DRIVER: driver });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([
      `main: ${driver}`,
      `worker: ${driver}`,
      `worker: ${driver}`,
      `two kernels: ${driver}`,
      'second kernel: TaskCancelled',
      'ECONNREFUSED',
    ]);
    expect(code).toBe(0);
  },
);
