/*
 * The front door: what the seeds call `curio.X`, re-exported from where it lives.
 */

export { Activation } from './activation.ts';
export type { Coroutine } from './base/callable.ts';
export { CancellationShield, checkCancellation, disableCancellation, setCancellation } from './cancel.ts';
export {
  Channel,
  type ChannelOptions,
  Connection,
  type ConnectionOptions as ChannelConnectionOptions,
} from './channel/index.ts';
export * from './errors.ts';
export { AsyncFile, aopen, type FileOptions } from './file/index.ts';
export { gather, taskGroup } from './gather.ts';
export { TaskGroup, type TaskGroupOptions, type WaitPolicy } from './group.ts';
export { Local } from './local.ts';
export {
  type ClientHandler,
  type ConnectionOptions,
  openConnection,
  openUnixConnection,
  runServer,
  type ServerOptions,
  type TcpServerOptions,
  type TlsClientHandler,
  tcpServer,
  tcpServerSocket,
  type UnixConnectionOptions,
  unixServer,
  unixServerSocket,
} from './network.ts';
export { abortable, currentSignal, wait } from './promise.ts';
export { LifoQueue, PriorityQueue, Queue } from './queue.ts';
export {
  type Clock,
  Kernel,
  type KernelOptions,
  type KernelRunOptions,
  type Logger,
  type RunOptions,
  run,
} from './run.ts';
export { SignalEvent, SignalQueue } from './signal.ts';
export * as ssl from './ssl/index.ts';
export { Condition } from './sync/condition.ts';
export { Event, Result } from './sync/event.ts';
export { Guard } from './sync/guard.ts';
export { Lock, RLock } from './sync/lock.ts';
export { BoundedSemaphore, Semaphore } from './sync/semaphore.ts';
export { type CancelOptions, currentTask, type SpawnOptions, spawn, Task } from './task.ts';
export {
  AsyncThread,
  AWAIT,
  type InThread,
  isAsyncThread,
  spawnThread,
  type ThreadOptions,
} from './thread/index.ts';
export {
  clock,
  type IgnoreOptions,
  ignoreAfter,
  sleep,
  type TimeoutOptions,
  TimeoutScope,
  timeoutAfter,
} from './time.ts';
export { UniversalEvent } from './universal/event.ts';
export { UniversalQueue, type UniversalQueueOptions } from './universal/queue.ts';
export { UniversalResult } from './universal/result.ts';
export type { UniversalHandle } from './universal/shared.ts';
export {
  blockInThread,
  type CallOptions,
  type Executor,
  moduleFunction,
  runInExecutor,
  runInProcess,
  runInThread,
  workerLimits,
} from './workers/index.ts';
