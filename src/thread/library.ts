/*
 * What of Curio can be used from an async thread, by name: the functions that run in the kernel on the thread's
 * behalf, and the classes whose objects stay there, with the methods that are operations.
 *
 * Both sides of the line load this list, when there is such a line; what threads themselves are enters on its own.
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
import { SSLCertVerificationError, SSLError, SSLSocket } from '../ssl/index.ts';
import { CalledProcessError, checkOutput, Popen, run as runProgram } from '../subprocess/index.ts';
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
import { blockInThread, runInProcess, runInThread } from '../workers/elsewhere.ts';
import { provideToThreads } from '../workers/travel/named.ts';
import { type AnyClass, addClass, addFunction } from './registry.ts';

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
  runInThread,
  runInProcess,
  blockInThread,
};

/** The same that start tasks, threads or processes: a function among their arguments has to go to the kernel, and on from there. */
const shipping = new Set([
  'spawn',
  'gather',
  'tcpServer',
  'unixServer',
  'runServer',
  'runInThread',
  'runInProcess',
  'blockInThread',
]);

const SYNC = 'acquire release with';
const STREAM = 'read readall readExactly readinto readline readlines write writelines flush close';

/** A class, and those of its methods that are operations; all others give their result at once. */
const classes: Record<string, [AnyClass, string]> = {
  Task: [Task, 'join wait cancel'],
  TaskGroup: [TaskGroup, 'spawn spawnThread addTask nextDone nextResult join cancelRemaining'],
  Event: [Event, 'wait set'],
  Result: [Result, 'unwrap setValue setException'],
  Lock: [Lock, SYNC],
  RLock: [RLock, SYNC],
  Semaphore: [Semaphore, SYNC],
  BoundedSemaphore: [BoundedSemaphore, SYNC],
  Condition: [Condition, `${SYNC} wait waitFor notify notifyAll`],
  Guard: [Guard, ''],
  Queue: [Queue, 'get put join taskDone'],
  PriorityQueue: [PriorityQueue, 'get put join taskDone'],
  LifoQueue: [LifoQueue, 'get put join taskDone'],
  SignalEvent: [SignalEvent, 'wait set'],
  SignalQueue: [SignalQueue, 'get'],
  TimeoutScope: [TimeoutScope, 'run'],
  CancellationShield: [CancellationShield, ''],
  Socket: [
    Socket,
    'recv recvInto recvfrom recvfromInto recvmsg recvmsgInto send sendall sendto sendmsg accept connect connectEx ready ' +
      'doHandshake shutdown close',
  ],
  SSLSocket: [
    SSLSocket,
    'recv recvInto recvfrom recvfromInto recvmsg recvmsgInto send sendall sendto sendmsg accept connect connectEx ready ' +
      'doHandshake shutdown close unwrap',
  ],
  FileStream: [FileStream, STREAM],
  SocketStream: [SocketStream, STREAM],
  AsyncFile: [
    AsyncFile,
    'read read1 readline readlines readinto readinto1 readall write writelines truncate seek tell flush close',
  ],
  Channel: [Channel, 'accept connect bind close'],
  Connection: [
    Connection,
    'send recv sendBytes recvBytes recvBytesInto authenticateServer authenticateClient close',
  ],
  Popen: [Popen, 'wait communicate'],
};

for (const [name, fn] of Object.entries(functions)) addFunction(name, fn, shipping.has(name));
for (const [name, [cls, operations]] of Object.entries(classes)) addClass(name, cls, operations);
provideToThreads({ curioRunning });
provideToThreads({ CalledProcessError, SSLCertVerificationError, SSLError });
// They cross in their own way, but are made in the kernel like the others.
for (const [name, cls] of Object.entries({ UniversalEvent, UniversalQueue, UniversalResult })) {
  addClass(name, cls, '');
}
