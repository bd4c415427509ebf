// Sockets in blocking mode, in threads: what the tutorial does with `client.blocking()` and code that blocks.

import { gather, run, runInProcess, runInThread } from 'curio';
import { AF_UNIX, socketpair } from 'curio/socket';
import { expect, test } from 'vitest';
import { onPosix } from '../kit/drivers.ts';

onPosix('what blocking() of a socket gives', () => {
  test('may be handed to runInThread: its calls block that thread, and no task', () =>
    run(async () => {
      const [here, there] = socketpair(AF_UNIX);
      await using _here = here;
      await using _there = there;
      using blocking = here.blocking();
      const [answer, heard] = await gather([
        () =>
          runInThread(
            (raw, greeting) => {
              raw.sendall(greeting);
              return raw.recv(100).toString();
            },
            blocking.raw,
            'from a thread',
          ),
        async () => {
          const greeting = await there.recv(100);
          await there.sendall('from a task');
          return greeting.toString();
        },
      ]);
      expect([answer, heard]).toEqual(['from a task', 'from a thread']);
    }));

  test('is the same descriptor there, also where a function has captured it', () =>
    run(async () => {
      const [here, there] = socketpair(AF_UNIX);
      await using _here = here;
      await using _there = there;
      const fd = here.fileno();
      const seen = await here.blocking((raw) => runInThread(() => raw.fileno()));
      expect(seen).toBe(fd);
      await here.sendall('x');
      expect((await there.recv(10)).toString()).toBe('x');
    }));

  test('is refused by runInProcess, where the descriptor would be another', () =>
    run(async () => {
      const [here, there] = socketpair(AF_UNIX);
      await using _here = here;
      await using _there = there;
      using blocking = here.blocking();
      const { raw } = blocking;
      expect(() => runInProcess((it) => it.fileno(), raw)).toThrow(
        'which only threads of this process can reach',
      );
      await expect(runInProcess(() => raw.fileno())).rejects.toThrow(
        'which only threads of this process can reach',
      );
    }));
});
