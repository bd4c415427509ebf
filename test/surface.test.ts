// The public surface: what each subpath exports is what the contract names, plus a short list of extras, each with its reason.
// A new subpath, or a new name, wants a line here.

import { describe, expect, test } from 'vitest';
import { entries, root, specifier } from '../scripts/entries.mjs';

const errors = `CurioError CancelledError TaskCancelled TaskTimeout TimeoutCancellationError UncaughtTimeoutError TaskError
  TaskBusyError DeadlockError SyncIOError AsyncOnlyError ResourceBusy ReadResourceBusy WriteResourceBusy EOFError
  AuthenticationError NotSupportedError RuntimeError`;

/** What the contract names, section by section. */
const contract: Record<string, string> = {
  index: `run Kernel
    spawn currentTask Task wait abortable currentSignal
    TaskGroup taskGroup gather
    sleep clock timeoutAfter ignoreAfter disableCancellation checkCancellation setCancellation
    Event Result Lock RLock Semaphore BoundedSemaphore Condition Queue PriorityQueue LifoQueue
    Local SignalEvent SignalQueue
    UniversalQueue UniversalEvent UniversalResult
    tcpServer unixServer runServer openConnection openUnixConnection tcpServerSocket unixServerSocket
    Activation ${errors}`,
  socket: `Socket socket socketpair fromfd createConnection
    getaddrinfo getfqdn gethostbyname gethostbynameEx gethostname gethostbyaddr getnameinfo ${errors}`,
  io: 'Socket FileStream SocketStream',
  file: 'aopen AsyncFile',
  ssl: 'createDefaultContext SSLContext wrapSocket getServerCertificate Purpose SSLError',
  subprocess: 'Popen run checkOutput PIPE STDOUT DEVNULL CompletedProcess CalledProcessError',
  channel: 'Channel Connection AuthenticationError',
  thread: 'spawnThread isAsyncThread AWAIT AsyncThread',
  workers: 'runInThread runInProcess blockInThread runInExecutor workerLimits moduleFunction',
  monitor: 'Monitor',
  traps: `readWait writeWait ioWaiting futureWait cancelTask schedulerWait schedulerWake getKernel getCurrent
    sleep setTimeout unsetTimeout clock`,
  sched: 'SchedBase SchedFIFO SchedBarrier',
  activation: 'Activation',
  debug: 'schedtrace traptrace logcrash longblock',
  meta: 'curioRunning isCoroutineFunction instantiateCoroutine fromCoroutine awaitable',
  errors,
  testing: 'VirtualClock cancelEverywhere explore',
};

/** What comes with the parts that are not there yet, or need not be on every platform. */
const optional: Record<string, string> = {
  index: `spawnThread isAsyncThread AWAIT AsyncThread runInThread runInProcess blockInThread runInExecutor workerLimits
    moduleFunction aopen AsyncFile Channel Connection subprocess ssl socket Monitor`,
};

/** Constants, as the platform has them. */
const constants: Record<string, RegExp> = {
  socket: /^(AF|SOCK|SOL|SO|IPPROTO|IP|IPV6|TCP|UDP|MSG|SHUT|SCM|AI|NI|EAI|INADDR|IPPORT|SOMAXCONN)(_|$)/,
  file: /^SEEK_/,
  ssl: /^(CERT|OP|PROTOCOL|VERIFY)_/,
};

const killed = 'what a task fails with that the monitor, or a hard timeout, has killed';
const connectionError = 'what AuthenticationError is a kind of, and what a broken connection throws';

/** What the contract does not name, and why it is there. */
const extras: Record<string, Record<string, string>> = {
  index: {
    CancellationShield: 'names the type of what disableCancellation() gives',
    Guard: 'names the type of what acquire() gives',
    TimeoutScope: 'names the type of what timeoutAfter(seconds) gives',
    ConnectionError: connectionError,
    TaskKilled: killed,
  },
  errors: { ConnectionError: connectionError, TaskKilled: killed },
  channel: { ConnectionError: connectionError },
  debug: {
    cancellations: 'the ledger of cancellations, which the original does not have',
    CancellationLedger: 'what cancellations() gives',
    flightRecorder: 'the last things that tasks did, which the original does not have',
    FlightRecorder: 'what flightRecorder() gives',
  },
  socket: {
    CMSG_LEN: 'sizes of ancillary data, for recvmsg',
    CMSG_SPACE: 'sizes of ancillary data, for recvmsg',
    ConnectionError: connectionError,
    TaskKilled: killed,
  },
  io: {
    Blocking: 'names the type of what blocking() gives',
    driverInfo: 'which driver runs and why: what `npx curio info` shows',
  },
  ssl: {
    SSLSocket: 'what wrapSocket() and openConnection({ ssl }) give',
    SSLCertVerificationError: 'the SSLError about a certificate, as in Python',
    TLSVersion: 'values of minimumVersion and maximumVersion, as in Python',
    derCertToPemCert: 'as in Python',
    pemCertToDerCert: 'as in Python',
  },
  testing: {
    randomNumbers: 'the repeatable numbers behind explore(), for programs that want to vary as well',
  },
};

const words = (text = '') => text.split(/\s+/).filter((word) => word !== '');

/** The names a subpath exports that are still there when the types are gone. */
const exported = async (name: string) => Object.keys(await import(root + entries[name]!)).sort();

test('every subpath has its line in the contract', () => {
  expect(Object.keys(entries).filter((name) => contract[name] === undefined)).toEqual([]);
});

describe.each(Object.keys(entries))('%s', (name) => {
  test('exports everything that the contract names', async () => {
    const names = await exported(name);
    expect(words(contract[name]).filter((word) => !names.includes(word))).toEqual([]);
  });

  test('exports nothing else, but for the extras that have a reason', async () => {
    const known = new Set([
      ...words(contract[name]),
      ...words(optional[name]),
      ...Object.keys(extras[name] ?? {}),
    ]);
    const unknown = (await exported(name)).filter((word) => !known.has(word) && !constants[name]?.test(word));
    expect(unknown).toEqual([]);
  });

  test('has no extras that are gone', async () => {
    const names = await exported(name);
    expect(Object.keys(extras[name] ?? {}).filter((word) => !names.includes(word))).toEqual([]);
  });

  test('has no default export, and every function and class is called what it is exported as', async () => {
    const module = (await import(root + entries[name]!)) as Record<string, unknown>;
    expect('default' in module).toBe(false);
    const misnamed = Object.entries(module).filter(
      ([key, value]) => typeof value === 'function' && value.name !== key,
    );
    expect(misnamed.map(([key]) => key)).toEqual([]);
  });
});

test('what several subpaths export under one name is one and the same thing', async () => {
  const seen = new Map<string, [string, unknown]>();
  // Same word, other thing: the traps check less, and subprocess has a run() of its own.
  const homonyms = new Set(['traps.sleep', 'traps.clock', 'subprocess.run']);
  const different: string[] = [];
  for (const name of Object.keys(entries)) {
    const module = (await import(root + entries[name]!)) as Record<string, unknown>;
    for (const [key, value] of Object.entries(module)) {
      if (homonyms.has(`${name}.${key}`)) continue;
      const [first, earlier] = seen.get(key) ?? [name, value];
      if (earlier !== value) different.push(`${specifier(first)} and ${specifier(name)}: ${key}`);
      seen.set(key, [first, earlier]);
    }
  }
  expect(different).toEqual([]);
});
