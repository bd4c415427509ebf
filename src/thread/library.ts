/*
 * What of Curio can be used from an async thread, by name: the functions that run in the kernel on the thread's
 * behalf, and the classes whose objects stay there, with the methods that are operations.
 *
 * Both sides of the line read this list. It must not know how a call gets across.
 */

import { CancellationShield, checkCancellation, disableCancellation, setCancellation } from '../cancel.ts';
import { Channel, Connection } from '../channel/index.ts';
import { AsyncFile, aopen } from '../file/index.ts';
import { gather, taskGroup } from '../gather.ts';
import { TaskGroup } from '../group.ts';
import { FileStream, Socket, SocketStream } from '../io/index.ts';
import { curioRunning } from '../meta.ts';
import {
  openConnection,
  openUnixConnection,
  runServer,
  tcpServer,
  tcpServerSocket,
  unixServer,
  unixServerSocket,
} from '../network.ts';
import { LifoQueue, PriorityQueue, Queue } from '../queue.ts';
import { SignalEvent, SignalQueue } from '../signal.ts';
import {
  createConnection,
  getaddrinfo,
  getfqdn,
  gethostbyaddr,
  gethostbyname,
  gethostbynameEx,
  gethostname,
  getnameinfo,
  socket,
  socketpair,
} from '../socket.ts';
import { SSLSocket } from '../ssl/index.ts';
import { checkOutput, Popen, run as runProgram } from '../subprocess/index.ts';
import { Condition } from '../sync/condition.ts';
import { Event, Result } from '../sync/event.ts';
import { Guard } from '../sync/guard.ts';
import { Lock, RLock } from '../sync/lock.ts';
import { BoundedSemaphore, Semaphore } from '../sync/semaphore.ts';
import { currentTask, spawn, Task } from '../task.ts';
import { clock, ignoreAfter, sleep, TimeoutScope, timeoutAfter } from '../time.ts';
import { UniversalEvent } from '../universal/event.ts';
import { UniversalQueue } from '../universal/queue.ts';
import { UniversalResult } from '../universal/result.ts';
import { provide } from '../workers/travel/named.ts';

/** A class, concrete or not. */
export type AnyClass = abstract new (...args: never[]) => object;

/** Called in the kernel; a function among the arguments is called back, in the thread. */
const functions: Record<string, (...args: never[]) => unknown> = {
  sleep,
  clock,
  timeoutAfter,
  ignoreAfter,
  disableCancellation,
  checkCancellation,
  setCancellation,
  currentTask,
  taskGroup,
  openConnection,
  openUnixConnection,
  tcpServerSocket,
  unixServerSocket,
  aopen,
  socket,
  socketpair,
  createConnection,
  getaddrinfo,
  getfqdn,
  gethostbyaddr,
  gethostbyname,
  gethostbynameEx,
  gethostname,
  getnameinfo,
  checkOutput,
  'subprocess.run': runProgram as (...args: never[]) => unknown,
  spawn,
  gather,
  tcpServer,
  unixServer,
  runServer,
};

/** The same that start tasks of their own: a function among their arguments has to go to the kernel, to run there. */
const shipping = new Set(['spawn', 'gather', 'tcpServer', 'unixServer', 'runServer', 'spawnThread']);

const SYNC = 'acquire release with';
const STREAM = 'read readall readExactly readinto readline readlines write writelines flush close';

/** A class, and those of its methods that are operations; all others give their result at once. */
const classes: [AnyClass, string][] = [
  [Task, 'join wait cancel'],
  [TaskGroup, 'spawn spawnThread addTask nextDone nextResult join cancelRemaining'],
  [Event, 'wait set'],
  [Result, 'unwrap setValue setException'],
  [Lock, SYNC],
  [RLock, SYNC],
  [Semaphore, SYNC],
  [BoundedSemaphore, SYNC],
  [Condition, `${SYNC} wait waitFor notify notifyAll`],
  [Guard, ''],
  [Queue, 'get put join taskDone'],
  [PriorityQueue, 'get put join taskDone'],
  [LifoQueue, 'get put join taskDone'],
  [SignalEvent, 'wait set'],
  [SignalQueue, 'get'],
  [TimeoutScope, 'run'],
  [CancellationShield, ''],
  [
    Socket,
    'recv recvInto recvfrom recvfromInto recvmsg recvmsgInto send sendall sendto sendmsg accept connect connectEx ready ' +
      'doHandshake shutdown close',
  ],
  [
    SSLSocket,
    'recv recvInto recvfrom recvfromInto recvmsg recvmsgInto send sendall sendto sendmsg accept connect connectEx ready ' +
      'doHandshake shutdown close unwrap',
  ],
  [FileStream, STREAM],
  [SocketStream, STREAM],
  [
    AsyncFile,
    'read read1 readline readlines readinto readinto1 readall write writelines truncate seek tell flush close',
  ],
  [Channel, 'accept connect bind close'],
  [Connection, 'send recv sendBytes recvBytes recvBytesInto authenticateServer authenticateClient close'],
  [Popen, 'wait communicate'],
];

const functionNames = new Map<unknown, string>();
const byClass = new Map<object, string>();
const byName = new Map<string, { cls: AnyClass; operations: Set<string> }>();

for (const [name, fn] of Object.entries(functions)) functionNames.set(fn, name);
for (const [cls, operations] of classes) addClass(cls, operations);
provide(functions);
provide({ curioRunning });
// They cross in their own way, but are made in the kernel like the others.
for (const cls of [UniversalEvent, UniversalQueue, UniversalResult]) addClass(cls, '');

/** Adds what lies on the same floor and needs this list itself. */
export function addFunction(name: string, fn: (...args: never[]) => unknown, ships = false): void {
  functions[name] = fn;
  functionNames.set(fn, name);
  if (ships) shipping.add(name);
  provide({ [name]: fn });
}

/** The same for a class. */
export function addClass(cls: AnyClass, operations: string): void {
  byClass.set(cls.prototype, cls.name);
  byName.set(cls.name, { cls, operations: new Set(operations.split(' ')) });
  provide({ [cls.name]: cls });
}

/** The library's function of this name. */
export function libraryFunction(name: string): ((...args: never[]) => unknown) | undefined {
  return functions[name];
}

/** The name of one of the library's functions or classes; undefined for any other. */
export function libraryName(value: object): string | undefined {
  const name = functionNames.get(value);
  if (name !== undefined || typeof value !== 'function') return name;
  return byClass.get(value.prototype as object);
}

export function libraryClass(name: string): AnyClass | undefined {
  return byName.get(name)?.cls;
}

/** The library's class that an object, or a subclass's prototype, is of; undefined if it is of none. */
export function classNameOf(value: object): string | undefined {
  for (let proto: unknown = value; proto !== null; proto = Object.getPrototypeOf(proto)) {
    const name = byClass.get(proto as object);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** True if this method of the class is an operation, to be AWAITed. */
export function isOperation(className: string, method: string): boolean {
  return byName.get(className)?.operations.has(method) ?? false;
}

/** True if functions among the arguments of this function or method go to the kernel to run there. */
export function shipsFunctions(name: string): boolean {
  return shipping.has(name);
}
