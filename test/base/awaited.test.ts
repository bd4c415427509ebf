import { AsyncOnlyError, Kernel, run, TaskGroup } from 'curio';
import { Channel, Connection } from 'curio/channel';
import { AF_INET, SOCK_STREAM, socket } from 'curio/socket';
import { Popen } from 'curio/subprocess';
import { expect, test } from 'vitest';

/** Everything that is closed by an awaited block, and no other test opens with a plain one. */
const opened: [string, () => AsyncDisposable][] = [
  ['a socket', () => socket(AF_INET, SOCK_STREAM)],
  ['a task group', () => new TaskGroup()],
  ['a process', () => new Popen([process.execPath, '--version'])],
  ['a channel', () => new Channel(['127.0.0.1', 0])],
  ['a connection', () => Connection.from(new MessageChannel().port1)],
  ['a kernel', () => new Kernel()],
];

test.for(opened)('%s in a block that does not wait is refused where the block begins', ([, open]) =>
  run(async () => {
    const object = open();
    let entered = false;
    expect(() => {
      using _ = object as unknown as Disposable;
      entered = true;
    }).toThrow(AsyncOnlyError);
    expect(() => (object as unknown as Disposable)[Symbol.dispose]).toThrow('write `await using`');
    expect(entered).toBe(false);
    if (!(object instanceof Kernel)) await object[Symbol.asyncDispose]();
  }),
);
