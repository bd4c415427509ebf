// What an async thread prints appears at once, and none of it is lost.

import { describe, expect, test } from 'vitest';
import { program } from '../kit/child.ts';

describe.concurrent('what an async thread prints', { timeout: 120_000 }, () => {
  test('appears while the main thread is blocked', async () => {
    const { said, complaint, signal } = await program('thread-prints', {
      args: ['blocked'],
      onLine: (_line, kill) => kill('SIGKILL'),
    });
    // It is blocked until it is killed, and it is killed when something has appeared.
    expect({ said, complaint, signal }).toEqual({
      said: ['from the thread'],
      complaint: 'a complaint\n',
      signal: 'SIGKILL',
    });
  });

  test('is not lost when the thread is terminated', async () => {
    const { said, complaint, code } = await program('thread-prints', { args: ['ended'] });
    expect({ complaint, code }).toEqual({ complaint: '', code: 0 });
    expect(said).toEqual([...Array.from({ length: 200 }, (_, i) => `line ${i}`), 'end']);
  });
});
