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

  test('for a machine nobody has is a failure that names it', () => {
    const result = build(['--arch', 'pdp11'], {});
    expect(result.status).toBe(1);
    expect(result.said[0]).toContain('pdp11');
  });
});
