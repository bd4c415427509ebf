// `curio monitor` as a program, talking to another one's monitor.

import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { root } from '../../scripts/entries.mjs';
import { Program } from '../kit/terminals.ts';

/** Runs `curio …` with these lines as its input; `until` is when to end it. */
async function curio(
  args: string[],
  input: string | null,
): Promise<{ out: string; err: string; code: number | null }> {
  const child = spawn(process.execPath, ['--import', 'tsx', `${root}src/cli/main.ts`, ...args], {
    cwd: root,
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  if (input !== null) child.stdin.write(input);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { out, err, code };
}

test("shows the program's tasks, and its end", { timeout: 60_000 }, async () => {
  await using program = new Program('kid');
  const port = await program.monitorPort();
  await program.says("We're leaving!");
  const left = await curio(['monitor', '-p', String(port)], 'ps\nexit\n');
  expect(left).toMatchObject({ code: 0, err: '' });
  expect(left.out).toMatch(/Curio Monitor: \d tasks running.*curio > Task {3}State.* kid\ncurio > $/s);
  const closed = await curio(['monitor', '-p', String(port)], 'cancel 3\n');
  expect(closed.out).toMatch(/Cancelling task 3\n.*\*\*\* Connection closed by remote host \*\*\*\n$/s);
  expect(await program.over).toMatchObject({ code: 1 });
});

test('says how to start a program whose monitor is not there', { timeout: 60_000 }, async () => {
  const { err, code } = await curio(['monitor', '-p', '1'], null);
  expect(code).toBe(1);
  expect(err).toMatch(/^curio: No monitor listens on 127\.0\.0\.1:1\. Start the program with/);
});
