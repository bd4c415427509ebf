// What `curio info` says about each driver, and about one that cannot run.

import { describe, expect, test } from 'vitest';
import { drivers } from '../kit/drivers.ts';
import { Program } from '../kit/program.ts';

const info = (env: Record<string, string> = {}, ...args: string[]) =>
  new Program('src/cli/main.ts', { args: ['info', ...args], env, fast: false }).ended;

/** The table as an object. */
const rows = (text: string) =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/)),
  );

const NO_ADDONS = { NODE_OPTIONS: '--no-addons' };

describe.each(drivers)('on the %s driver', (driver) => {
  test('info names it, and says that it was asked for', async () => {
    const { code, stdout, stderr } = await info({ CURIO_DRIVER: driver });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(rows(stdout)).toMatchObject({
      Node: process.versions.node,
      Driver: `${driver}: CURIO_DRIVER asks for it`,
      CURIO_DRIVER: driver,
    });
  });
});

test.runIf(drivers.includes('posix'))('info tells where the addon comes from', async () => {
  const { stdout, code } = await info({ CURIO_DRIVER: '' });
  expect(code).toBe(0);
  const { Driver, Addon, CURIO_DRIVER } = rows(stdout);
  expect(Driver).toMatch(/^posix: its addon is there, (built here|prebuilt)$/);
  expect(Addon).toMatch(/^(built here|prebuilt): \/.*\.node$/);
  expect(CURIO_DRIVER).toBe(undefined);
});

test('info tells why there is no addon', async () => {
  const { stdout, code } = await info({ CURIO_DRIVER: '', ...NO_ADDONS });
  expect(code).toBe(0);
  const { Driver, Addon } = rows(stdout);
  expect(Driver).toMatch(/^portable: /);
  expect(Addon).toBe(Driver!.replace('portable', 'none'));
  expect(Addon).toMatch(drivers.includes('posix') ? /could not be loaded: / : /there is no addon for /);
});

test('info shows that what CURIO_DRIVER asks for cannot run, and fails', async () => {
  const { stdout, stderr, code } = await info({ CURIO_DRIVER: 'posix', ...NO_ADDONS });
  expect(rows(stdout).Driver).toMatch(/^none: CURIO_DRIVER asks for the posix driver, but /);
  expect(stderr).toBe('');
  expect(code).toBe(1);
  const other = await info({ CURIO_DRIVER: 'magic' });
  expect(rows(other.stdout).Driver).toBe("none: CURIO_DRIVER is 'posix' or 'portable', not 'magic'.");
  expect(other.code).toBe(1);
});

test('info --json is the same for programs', async () => {
  const { stdout, code } = await info({ CURIO_DRIVER: 'portable' }, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    driver: 'portable',
    reason: 'CURIO_DRIVER asks for it',
    asked: 'portable',
  });
});
