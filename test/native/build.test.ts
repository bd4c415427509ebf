// scripts/build-native.mjs: what it says and how it exits when something is missing. It must never be in the way of an
// installation.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/build-native.mjs', import.meta.url));

function build(args: string[], env: Record<string, string>): { status: number | null; said: string[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    env,
    encoding: 'utf8',
  });
  return { status, said: (stdout + stderr).trim().split('\n') };
}

describe('building the addon', () => {
  test('without a compiler is one line, and only with --optional no failure', () => {
    const nothing = mkdtempSync(join(tmpdir(), 'curio-'));
    for (const [args, status] of [
      [['--optional'], 0],
      [[], 1],
    ] as const) {
      const result = build([...args], { PATH: nothing, HOME: nothing });
      expect(result.status).toBe(status);
      expect(result.said).toHaveLength(1);
      expect(result.said[0]).toMatch(/^curio: posix driver not built: .*(not found|was found|not supported)/);
    }
    rmSync(nothing, { recursive: true });
  });

  test('for the package is one line for each kind of machine whose compiler is missing, and a failure unless that is allowed', () => {
    const nothing = mkdtempSync(join(tmpdir(), 'curio-'));
    const env = { PATH: nothing, HOME: nothing };
    const allowed = build(['--prebuilt', '--optional'], env);
    expect(allowed.status).toBe(0);
    expect(allowed.said).toHaveLength(2);
    for (const line of allowed.said) expect(line).toMatch(/^curio: posix driver not built: .*; the portable/);
    const strict = build(['--prebuilt'], env);
    expect(strict.status).toBe(1);
    expect(strict.said).toHaveLength(1);
    rmSync(nothing, { recursive: true });
  });

  test('for a machine nobody has is a failure that names it', () => {
    const result = build(['--arch', 'pdp11'], {});
    expect(result.status).toBe(1);
    expect(result.said[0]).toContain('pdp11');
  });
});
