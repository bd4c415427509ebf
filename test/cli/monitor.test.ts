// `curio monitor` as a program, talking to another one's monitor.

import { expect, test } from 'vitest';
import { curio } from '../kit/curio.ts';
import { Program } from '../kit/terminals.ts';

test("shows the program's tasks, and its end", { timeout: 60_000 }, async () => {
  await using program = new Program('kid');
  const port = await program.monitorPort();
  await program.says("We're leaving!");
  const left = await curio(['monitor', '-p', port], 'ps\nexit\n');
  expect(left).toMatchObject({ code: 0, err: '' });
  expect(left.out).toMatch(/Curio Monitor: \d tasks running.*curio > Task {3}State.* kid\ncurio > $/s);
  const closed = await curio(['monitor', '-p', port], 'cancel 3\n');
  expect(closed.out).toMatch(/Cancelling task 3\n.*\*\*\* Connection closed by remote host \*\*\*\n$/s);
  expect(await program.over).toMatchObject({ code: 1 });
});

test('says how to start a program whose monitor is not there', { timeout: 60_000 }, async () => {
  const { err, code } = await curio(['monitor', '-p', '1']);
  expect(code).toBe(1);
  expect(err).toMatch(/^curio: No monitor listens on 127\.0\.0\.1:1\. Start the program with/);
});
