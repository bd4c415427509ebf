// What two threads say to each other about a universal object, with one of them played by the test: so that each message comes
// when it is to come, also in the worst moment.

import { BroadcastChannel } from 'node:worker_threads';
import { Kernel, sleep, spawn, UniversalEvent, UniversalQueue } from 'curio';
import { describe, expect, onTestFinished, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

type Message = Record<string, unknown>;
type UniversalHandle = ReturnType<UniversalQueue<unknown>['handle']>;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function until(is: () => boolean): Promise<void> {
  while (!is()) await turn();
}

const words = () => ({
  word: new Int32Array(new SharedArrayBuffer(12)),
  crowd: new Int32Array(new SharedArrayBuffer(4)),
});

function listenTo(name: string, heard: (message: never) => void): BroadcastChannel {
  const channel = new BroadcastChannel(name);
  channel.onmessage = (event) => heard((event as unknown as { data: never }).data);
  onTestFinished(() => channel.close());
  return channel;
}

let count = 0;

/** Another thread, which uses an object of this one. */
async function otherThread(handle: UniversalHandle) {
  const { home, id } = handle as unknown as { home: { name: string }; id: number };
  const name = `test-client-${++count}`;
  const heard: Message[] = [];
  const channel = listenTo(name, (message) => heard.push(message));
  const door = new BroadcastChannel(home.name);
  door.postMessage({ client: name, thread: -1, words: words() });
  door.close();
  await until(() => heard.length > 0);
  let seq = 0;
  const post = (message: unknown) => channel.postMessage(message);
  const answerTo = (nth: number) => heard.find((it) => it.seq === nth);
  return {
    ask(method: string, ...args: unknown[]): number {
      post({ seq: ++seq, id, method, args });
      return seq;
    },
    cancel: (nth: number) => post({ cancel: nth }),
    giveBack: ({ value, receipt }: Message) => post({ back: id, value, receipt }),
    answerTo,
    async answered(nth: number): Promise<Message> {
      await until(() => answerTo(nth) !== undefined);
      return answerTo(nth)!;
    },
    /** All that was posted before has been heard. */
    async heard(): Promise<void> {
      post({ seq: ++seq, id, method: 'toString', args: [] });
      await this.answered(seq);
    },
  };
}

/** The thread of an object that is used in this one. */
function farHome(maxsize = 0) {
  const name = `test-home-${++count}`;
  const heard: Message[] = [];
  let channel: BroadcastChannel | undefined;
  listenTo(name, ({ client }: { client: string }) => {
    channel = listenTo(client, (message) => heard.push(message));
    channel.postMessage('ready');
  });
  const home = { name, thread: -1, words: words() };
  const terms = { maxsize, shut: new Int32Array(new SharedArrayBuffer(4)) };
  const handle = { curio: 'UniversalQueue', home, id: 7, terms } as unknown as UniversalHandle;
  return {
    queue: UniversalQueue.from<unknown>(handle),
    heard,
    async hears(n: number): Promise<Message[]> {
      await until(() => heard.length >= n);
      return heard;
    },
    answer(seq: unknown, value: unknown, receipt?: number): void {
      channel!.postMessage({ seq, id: 7, value, receipt });
    },
  };
}

describe('a get of another thread', () => {
  test('that is cancelled leaves the line: what is put then goes to the next', async () => {
    const queue = new UniversalQueue<string>();
    const other = await otherThread(queue.handle());
    const get = other.ask('get');
    await other.heard();
    expect(String(queue)).toBe('UniversalQueue(0 items, 1 getting, 0 putting)');
    other.cancel(get);
    await other.heard();
    expect(String(queue)).toBe('UniversalQueue(0 items, 0 getting, 0 putting)');
    await queue.put('a');
    expect(await queue.get()).toBe('a');
    await other.heard();
    expect(other.answerTo(get)).toBeUndefined();
  });

  test('that was answered and cannot take the item gives it back to its place', async () => {
    const queue = new UniversalQueue<string>();
    for (const item of ['a', 'b', 'c']) await queue.put(item);
    const other = await otherThread(queue.handle());
    const [first, second] = [other.ask('get'), other.ask('get')];
    const answers = [await other.answered(first), await other.answered(second)];
    expect(answers.map(({ value }) => value)).toEqual(['a', 'b']);
    other.giveBack(answers[1]!);
    other.giveBack(answers[0]!);
    await other.heard();
    expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(['a', 'b', 'c']);
    // The unfinished count has not been increased again.
    for (let i = 0; i < 3; i++) await queue.taskDone();
    await queue.join();
  });

  test('that was answered while its waiting was called off has the item, until it gives it back: then the next has it', async () => {
    const queue = new UniversalQueue<string>();
    const other = await otherThread(queue.handle());
    const get = other.ask('get');
    await other.heard();
    // It is chosen, and its cancellation is under way.
    other.cancel(get);
    await queue.put('a');
    const next = queue.get();
    const answer = await other.answered(get);
    await other.heard();
    expect(answer.value).toBe('a');
    other.giveBack(answer);
    expect(await next).toBe('a');
  });

  test('answered after a put that waited for room makes room for it', async () => {
    const queue = new UniversalQueue<string>({ maxsize: 1 });
    await queue.put('a');
    const putting = queue.put('b');
    const other = await otherThread(queue.handle());
    expect((await other.answered(other.ask('get'))).value).toBe('a');
    await putting;
    expect(await queue.get()).toBe('b');
  });
});

test('a put of another thread that is cancelled while it waits is not done', async () => {
  const queue = new UniversalQueue<string>({ maxsize: 1 });
  await queue.put('a');
  const other = await otherThread(queue.handle());
  const [put, later] = [other.ask('put', 'b'), other.ask('put', 'c')];
  await other.heard();
  expect(String(queue)).toBe('UniversalQueue(1 of 1 items, 0 getting, 2 putting)');
  other.cancel(put);
  await other.heard();
  expect([await queue.get(), await queue.get()]).toEqual(['a', 'c']);
  await other.answered(later);
  expect(other.answerTo(put)).toBeUndefined();
});

test('a join or wait of another thread that is cancelled leaves the line', async () => {
  const queue = new UniversalQueue<string>();
  await queue.put('a');
  const event = new UniversalEvent();
  for (const [object, method] of [
    [queue, 'join'],
    [event, 'wait'],
  ] as const) {
    const other = await otherThread(object.handle());
    const waiting = other.ask(method);
    await other.heard();
    other.cancel(waiting);
    await other.heard();
    if (object === event) {
      expect(String(event)).toBe('UniversalEvent(unset, 0 waiting)');
      await event.set();
    } else await queue.taskDone();
    await other.heard();
    expect(other.answerTo(waiting)).toBeUndefined();
  }
});

describe('a task that gets from a queue of another thread', () => {
  const kernel = () => {
    const it = new Kernel({ logger: recorder() });
    onTestFinished(() => it.run({ shutdown: true }));
    return it;
  };

  test('and is cancelled says so; what comes nevertheless goes to the next of this thread', () =>
    kernel().run(async () => {
      const far = farHome();
      const first = await spawn(() => far.queue.get());
      const second = await spawn(() => far.queue.get());
      const [one, two] = await far.hears(2);
      await first.cancel();
      expect((await far.hears(3))[2]).toEqual({ cancel: one!.seq });
      // It had been sent already.
      far.answer(one!.seq, 'a', 1);
      expect(await second.join()).toBe('a');
      expect((await far.hears(4))[3]).toEqual({ cancel: two!.seq });
      // The second one's own was under way, too, and nobody is left.
      far.answer(two!.seq, 'b', 2);
      expect((await far.hears(5))[4]).toEqual({ back: 7, value: 'b', receipt: 2 });
    }));

  test('and is cancelled, with nobody else there: what comes nevertheless goes back', () =>
    kernel().run(async () => {
      const far = farHome();
      const task = await spawn(() => far.queue.get());
      const [one] = await far.hears(1);
      await task.cancel();
      far.answer(one!.seq, 'a', 1);
      expect((await far.hears(3))[2]).toEqual({ back: 7, value: 'a', receipt: 1 });
    }));

  test('and is cancelled: what comes nevertheless is not taken for the answer to another question', () =>
    kernel().run(async () => {
      const far = farHome(1);
      const get = await spawn(() => far.queue.get());
      const put = await spawn(() => far.queue.put('mine'));
      const [one, two] = await far.hears(2);
      await get.cancel();
      far.answer(one!.seq, 'a', 1);
      expect((await far.hears(4))[3]).toEqual({ back: 7, value: 'a', receipt: 1 });
      expect(put.terminated).toBe(false);
      far.answer(two!.seq, undefined);
      await put.join();
    }));

  test('and ends after it was chosen and before its turn gives the item back', async () => {
    const far = farHome();
    const it = kernel();
    let end!: () => void;
    const gate = new Promise<void>((resolve) => {
      end = resolve;
    });
    const task = await it.run(async () => {
      const careless = await spawn({ daemon: true }, async () => {
        void far.queue.get();
        await gate;
      });
      await sleep(0);
      return careless;
    });
    const [one] = await far.hears(1);
    // The kernel stands still: the task is chosen, and does not run.
    far.answer(one!.seq, 'a', 1);
    await until(() => task.state === 'READY');
    end();
    expect((await far.hears(2))[1]).toEqual({ back: 7, value: 'a', receipt: 1 });
  });

  test('and is cancelled after it was chosen and before its turn has the item', async () => {
    const far = farHome();
    const it = kernel();
    const got: unknown[] = [];
    const task = await it.run(async () => {
      const getter = await spawn(async () => {
        got.push(await far.queue.get());
        await sleep(1000);
      });
      await sleep(0);
      return getter;
    });
    const [one] = await far.hears(1);
    far.answer(one!.seq, 'a', 1);
    await until(() => task.state === 'READY');
    await it.run(() => task.cancel());
    expect(got).toEqual(['a']);
    expect(far.heard.length).toBe(1);
  });
});
