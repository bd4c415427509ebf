// The types, as programs see them. `npm run types` checks this file; what is refused by a type carries @ts-expect-error, which
// is an error itself when the type lets it through. Nothing here is ever called.

import {
  abortable,
  type CancelledError,
  Condition,
  type Coroutine,
  currentSignal,
  currentTask,
  disableCancellation,
  Event,
  type Guard,
  gather,
  ignoreAfter,
  Kernel,
  Local,
  Lock,
  PriorityQueue,
  Queue,
  Result,
  RLock,
  run,
  runInThread,
  runServer,
  Semaphore,
  SignalEvent,
  SignalQueue,
  sleep,
  spawn,
  type Task,
  TaskGroup,
  type TimeoutScope,
  taskGroup,
  tcpServer,
  timeoutAfter,
  unixServer,
  wait,
} from 'curio';
import { longblock, schedtrace } from 'curio/debug';
import { awaitable, instantiateCoroutine } from 'curio/meta';
import { SchedFIFO } from 'curio/sched';
import type { Address, Socket } from 'curio/socket';
import type { SSLContext, SSLSocket } from 'curio/ssl';
import { futureWait, ioWaiting, schedulerWait } from 'curio/traps';
import { expectTypeOf } from 'vitest';

const add = async (a: number, b: number) => a + b;
const plain = (text: string) => text.length;
const generic = async <T>(value: T): Promise<T> => value;
const optional = async (a: number, b = 'x') => `${a}${b}`;
const variadic = async (_first: string, ...rest: number[]) => rest.length;
// Now a value, now a promise.
const either = (known: boolean): string | Promise<number> => (known ? 'at once' : add(1, 2));

export async function running() {
  expectTypeOf(run(add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(run(plain, 'x')).resolves.toEqualTypeOf<number>();
  expectTypeOf(run({ debug: schedtrace }, add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(
    run({ debug: [schedtrace, longblock({ maxTime: 1 })] }, plain, 'x'),
  ).resolves.toEqualTypeOf<number>();
  expectTypeOf(run(() => wait(add(1, 2)))).resolves.toEqualTypeOf<number>();
  expectTypeOf(run(generic<'a' | 'b'>, 'a')).resolves.toEqualTypeOf<'a' | 'b'>();
  expectTypeOf(run(optional, 1)).resolves.toEqualTypeOf<string>();
  expectTypeOf(run(variadic, 'x', 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(run(async () => {})).resolves.toEqualTypeOf<void>();
  expectTypeOf(run(either, true)).resolves.toEqualTypeOf<string | number>();
  expectTypeOf(run<[number, number], number>(add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(run(instantiateCoroutine(add, 1, 2))).resolves.toEqualTypeOf<number>();
  expectTypeOf(run(runInThread, add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(run({ stacks: true }, runInThread, add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(new Kernel().run(runInThread, plain, 'x')).resolves.toEqualTypeOf<number>();
  expectTypeOf(
    new Kernel().run({ shutdown: true }, runInThread, plain, 'x'),
  ).resolves.toEqualTypeOf<number>();

  // @ts-expect-error a promise is not a function
  void run(add(1, 2));
  // @ts-expect-error an argument is missing
  void run(add, 1);
  // @ts-expect-error an argument of the wrong type
  void run(add, 1, '2');
  // @ts-expect-error an argument too many
  void run(add, 1, 2, 3);
  // @ts-expect-error a class is not called, but constructed
  void run(Map);
  // @ts-expect-error nothing to run
  void run();
  // @ts-expect-error there is no such option
  void run({ deamon: true }, add, 1, 2);

  const kernel = new Kernel({ stacks: true });
  expectTypeOf(kernel.run(add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(kernel.run(spawn, add, 1, 2)).resolves.toEqualTypeOf<Task<number>>();
  // @ts-expect-error: the second number is missing
  void kernel.run(spawn, add, 1);
  expectTypeOf(kernel.run()).resolves.toEqualTypeOf<void>();
  expectTypeOf(kernel.run({ shutdown: true })).resolves.toEqualTypeOf<void>();
  expectTypeOf(kernel.run({ shutdown: true }, plain, 'x')).resolves.toEqualTypeOf<number>();
  // @ts-expect-error a promise is not a function
  void kernel.run(add(1, 2));
  // @ts-expect-error the monitor comes with run(), not with a kernel
  new Kernel({ withMonitor: true });
}

export async function tasks() {
  expectTypeOf(spawn(either, true)).resolves.toEqualTypeOf<Task<string | number>>();
  const task = await spawn(add, 1, 2);
  expectTypeOf(task).toEqualTypeOf<Task<number>>();
  expectTypeOf(task.join()).resolves.toEqualTypeOf<number>();
  expectTypeOf(task.wait()).resolves.toEqualTypeOf<void>();
  expectTypeOf(task.result).toEqualTypeOf<number>();
  expectTypeOf(task.exception).toEqualTypeOf<unknown>();
  expectTypeOf(task.where()).toEqualTypeOf<[filename: string, line: number] | null>();
  expectTypeOf(await spawn({ daemon: true, name: 'x' }, plain, 'y')).toEqualTypeOf<Task<number>>();
  expectTypeOf(await spawn(() => sleep(1))).toEqualTypeOf<Task<number>>();
  expectTypeOf(await spawn({ daemon: true }, runInThread, plain, 'x')).toEqualTypeOf<Task<number>>();
  expectTypeOf(await spawn(instantiateCoroutine(add, 1, 2))).toEqualTypeOf<Task<number>>();
  expectTypeOf(currentTask()).resolves.toEqualTypeOf<Task<unknown>>();
  expectTypeOf(task).toExtend<Task<unknown>>();
  expectTypeOf(task).not.toExtend<Task<string>>();

  // Overloaded functions may be handed on, and an option may be undefined.
  expectTypeOf(timeoutAfter(1, spawn, () => 'x')).resolves.toEqualTypeOf<Task<unknown>>();
  expectTypeOf(spawn({ name: undefined, daemon: undefined }, add, 1, 2)).resolves.toEqualTypeOf<
    Task<number>
  >();

  // @ts-expect-error a promise is not a function
  void spawn(add(1, 2));
  // @ts-expect-error nor after the options
  void spawn({ daemon: true }, add(1, 2));
  // @ts-expect-error an argument of the wrong type
  void spawn(plain, 5);
  // @ts-expect-error an argument is missing
  void spawn({ daemon: true }, add, 1);
  // @ts-expect-error a misspelt option
  void spawn({ deamon: true }, add, 1, 2);
  // What a task is called and how it is doing is not to be changed.
  // @ts-expect-error
  task.id = 5;
  // @ts-expect-error
  task.state = 'READY';
  // @ts-expect-error
  task.cycles = 0;
  // @ts-expect-error
  task.cancelled = true;
  // @ts-expect-error
  task.terminated = true;

  await task.cancel();
  await task.cancel({ blocking: false, exc: TypeError });
  await task.cancel({ exc: new Error('this one') });
  // @ts-expect-error no error class
  void task.cancel({ exc: Map });
  // @ts-expect-error no error
  void task.cancel({ exc: 'text' });
}

export async function timeouts() {
  expectTypeOf(timeoutAfter(1, add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(timeoutAfter(1, either, true)).resolves.toEqualTypeOf<string | number>();
  expectTypeOf(timeoutAfter(1, runInThread, add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(ignoreAfter(1, runInThread, plain, 'x')).resolves.toEqualTypeOf<number | undefined>();
  // @ts-expect-error an argument is missing
  void timeoutAfter(1, runInThread, add, 1);
  expectTypeOf(timeoutAfter(1).run(runInThread, add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(ignoreAfter(1).run(runInThread, plain, 'x')).resolves.toEqualTypeOf<number | undefined>();
  expectTypeOf(disableCancellation(runInThread, add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(timeoutAfter(null, plain, 'x')).resolves.toEqualTypeOf<number>();
  expectTypeOf(timeoutAfter(1)).toEqualTypeOf<TimeoutScope>();
  expectTypeOf(timeoutAfter(1).run(add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(ignoreAfter(1, add, 1, 2)).resolves.toEqualTypeOf<number | undefined>();
  expectTypeOf(ignoreAfter({ timeoutResult: 'late' as const }, 1, add, 1, 2)).resolves.toEqualTypeOf<
    number | 'late'
  >();
  expectTypeOf(
    ignoreAfter({ timeoutResult: 'late' as const }, 1, runInThread, plain, 'x'),
  ).resolves.toEqualTypeOf<number | 'late'>();
  expectTypeOf(ignoreAfter(1).run(add, 1, 2)).resolves.toEqualTypeOf<number | undefined>();
  expectTypeOf(ignoreAfter(1).expired).toEqualTypeOf<boolean>();
  // @ts-expect-error the time decides that
  ignoreAfter(1).expired = true;
  expectTypeOf(disableCancellation(add, 1, 2)).resolves.toEqualTypeOf<number>();

  // @ts-expect-error a promise is not a function
  void timeoutAfter(1, add(1, 2));
  // @ts-expect-error the seconds come first
  void timeoutAfter(add, 1, 1, 2);
  // @ts-expect-error seconds are a number
  void timeoutAfter('1', add, 1, 2);
  // @ts-expect-error an argument is missing
  void ignoreAfter(1, add, 1);
  // @ts-expect-error seconds are a number
  void sleep('1');
  // @ts-expect-error a promise is not a function
  void disableCancellation(add(1, 2));
}

export async function groups() {
  expectTypeOf(gather([() => add(1, 2), async () => 'text', () => true as const])).resolves.toEqualTypeOf<
    [number, string, true]
  >();
  const group = new TaskGroup<number>();
  expectTypeOf(await group.spawn(add, 1, 2)).toEqualTypeOf<Task<number>>();
  expectTypeOf(await group.spawn(runInThread, plain, 'x')).toEqualTypeOf<Task<number>>();
  expectTypeOf(await group.spawn({ name: 'x' }, runInThread, plain, 'x')).toEqualTypeOf<Task<number>>();
  expectTypeOf(gather([() => either(true)])).resolves.toEqualTypeOf<[string | number]>();
  expectTypeOf(await new TaskGroup<string | number>().spawn(either, true)).toEqualTypeOf<
    Task<string | number>
  >();
  expectTypeOf(group.results).toEqualTypeOf<number[]>();
  expectTypeOf(group.nextDone()).resolves.toEqualTypeOf<Task<number> | null>();
  expectTypeOf(group.nextResult()).resolves.toEqualTypeOf<number>();
  expectTypeOf(taskGroup<string>(async (g) => void (await g.spawn(async () => 'x')))).resolves.toEqualTypeOf<
    TaskGroup<string>
  >();
  for await (const task of group) expectTypeOf(task).toEqualTypeOf<Task<number>>();

  // @ts-expect-error promises are not functions
  void gather([add(1, 2)]);
  // @ts-expect-error a task of this group gives numbers
  void group.spawn(async () => 'text');
  // @ts-expect-error no such policy
  new TaskGroup({ wait: 'most' });
  // @ts-expect-error a promise is not a function
  void group.spawn(add(1, 2));
}

export async function primitives() {
  const queue = new Queue<string>(2);
  expectTypeOf(queue.get()).resolves.toEqualTypeOf<string>();
  expectTypeOf(queue.size()).toEqualTypeOf<number>();
  for await (const item of queue) expectTypeOf(item).toEqualTypeOf<string>();
  // @ts-expect-error an item of another type
  void queue.put(5);
  new PriorityQueue<{ n: number }>(0, (a, b) => a.n - b.n);
  // @ts-expect-error a comparator gives a number
  new PriorityQueue<number>(0, (a, b) => a < b);

  const lock = new Lock();
  expectTypeOf(lock.acquire()).resolves.toEqualTypeOf<Guard>();
  expectTypeOf(lock.with(add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(lock.with(runInThread, add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(new RLock().with(runInThread, plain, 'x')).resolves.toEqualTypeOf<number>();
  expectTypeOf(new Semaphore(2).with(runInThread, plain, 'x')).resolves.toEqualTypeOf<number>();
  // @ts-expect-error an argument is missing
  void lock.with(runInThread, add, 1);
  expectTypeOf<Guard>().toExtend<Disposable & AsyncDisposable>();
  // @ts-expect-error a promise is not a function
  void lock.with(add(1, 2));
  const condition = new Condition(lock);
  expectTypeOf(condition.with(add, 1, 2)).resolves.toEqualTypeOf<number>();
  expectTypeOf(condition.with(runInThread, plain, 'x')).resolves.toEqualTypeOf<number>();
  await condition.waitFor(() => queue.size() > 0);
  expectTypeOf(condition.waitFor((): string | null => null)).resolves.toEqualTypeOf<string>();

  expectTypeOf(new Event().wait()).resolves.toEqualTypeOf<void>();
  const result = new Result<number>();
  expectTypeOf(result.unwrap()).resolves.toEqualTypeOf<number>();
  // @ts-expect-error a value of another type
  void result.setValue('text');

  const info = new Local<{ tag: number }>();
  info.tag = 5;
  // @ts-expect-error a value of another type
  info.tag = 'text';
  // @ts-expect-error no such property
  info.other = 5;
  new Local().anything = 5;

  expectTypeOf(new SignalQueue('SIGHUP').get()).resolves.toEqualTypeOf<NodeJS.Signals>();
  expectTypeOf<SignalEvent>().toExtend<Disposable>();
  // @ts-expect-error no such signal
  new SignalEvent('HUP');
}

export async function promises() {
  expectTypeOf(wait(add(1, 2))).resolves.toEqualTypeOf<number>();
  expectTypeOf(abortable((signal) => fetch('http://x', { signal }))).resolves.toEqualTypeOf<Response>();
  expectTypeOf(currentSignal()).toEqualTypeOf<AbortSignal>();
  expectTypeOf(futureWait(add(1, 2))).resolves.toEqualTypeOf<number>();
  expectTypeOf(schedulerWait<string>(new SchedFIFO(), 'X')).resolves.toEqualTypeOf<string>();
  expectTypeOf(ioWaiting(0)).resolves.toEqualTypeOf<
    [reader: Task<unknown> | null, writer: Task<unknown> | null]
  >();
  // @ts-expect-error not a promise
  void wait(5);
  // @ts-expect-error a promise is not a function
  void abortable(add(1, 2));
}

export async function servers(ssl: SSLContext, sock: Socket) {
  const plain = async (client: Socket) => client.sendall('x');
  const secure = async (client: SSLSocket, _address: Address) => client.doHandshake();
  await tcpServer('', 0, plain);
  await tcpServer('', 0, plain, { ssl });
  await tcpServer('', 0, secure, { ssl });
  await tcpServer('', 0, (client) => expectTypeOf(client).toEqualTypeOf<Socket>());
  await tcpServer('', 0, (client) => expectTypeOf(client).toEqualTypeOf<SSLSocket>(), { ssl });
  // @ts-expect-error no ssl
  await tcpServer('', 0, secure);
  // @ts-expect-error no ssl
  await tcpServer('', 0, secure, { backlog: 5 });

  // Handed on to what calls them.
  await run(tcpServer, '', 0, plain);
  await run(tcpServer, '', 0, (client) => expectTypeOf(client).toEqualTypeOf<Socket>());
  await run({ stacks: true }, tcpServer, '', 0, secure, { ssl, backlog: 5 });
  await spawn(tcpServer, '', 0, secure, { ssl });
  await spawn({ daemon: true }, unixServer, '/x', secure, { ssl });
  await timeoutAfter(1, runServer, sock, secure, { ssl });
  await new TaskGroup().spawn(runServer, sock, plain);
  // @ts-expect-error no ssl
  await spawn(unixServer, '/x', secure);
  // @ts-expect-error a port is a number
  await run(tcpServer, '', '0', plain);
  // @ts-expect-error no such option
  await run(tcpServer, '', 0, plain, { nonsense: 1 });
}

export function metaprogramming() {
  expectTypeOf(instantiateCoroutine(add, 1, 2)).toEqualTypeOf<Coroutine<number>>();
  const both = awaitable((a: number) => a)(async (a: number) => `${a}`);
  expectTypeOf(both).parameters.toEqualTypeOf<[a: number]>();
  expectTypeOf(both(1)).toEqualTypeOf<number | Promise<string>>();
  // @ts-expect-error an argument is missing
  instantiateCoroutine(add, 1);
  // @ts-expect-error other parameters
  awaitable((a: number) => a)(async (a: string) => a);
}

export function errors(error: CancelledError) {
  expectTypeOf(error.requestedBy).toEqualTypeOf<Task<unknown> | null>();
  expectTypeOf(error.requestedAt).toEqualTypeOf<[filename: string, line: number] | null>();
  expectTypeOf(error.code).toEqualTypeOf<string>();
}
