// Debuggers.
//
// They are activations that log: `schedtrace` each step of every task, `traptrace` also the low-level operation that a
// task is suspended in, `logcrash` the tasks that fail, `longblock` those that never block. Hand them to `run`, one or a
// list, as they are or called with options: `filter` names the tasks of interest, `level` is a method of the logger,
// and `log` is the logger. They log to standard error unless told otherwise; here it is standard output.
//
// The times and the task numbers are different in every run.

import { CancelledError, run, sleep, spawn } from 'curio';
import { logcrash, longblock, schedtrace, traptrace } from 'curio/debug';

const log = { debug: console.log, info: console.log, warn: console.log, error: console.log };

async function spam() {
  await sleep(0.01);
}

async function main() {
  const task = await spawn(spam);
  await task.join();
}

console.log('--- schedtrace, for one name');
await run({ debug: schedtrace({ log, filter: new Set(['spam']) }) }, main);

console.log('--- traptrace, for one name');
await run({ debug: traptrace({ log, level: 'debug', filter: new Set(['spam']) }) }, main);

async function hog() {
  const end = Date.now() + 150;
  while (Date.now() < end);
  throw new CancelledError('not a crash');
}

async function crash() {
  throw new TypeError('a crash');
}

console.log('--- longblock and logcrash');
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
await run({ debug: [longblock({ log, maxTime: 0.1 }), logcrash({ log })], logger: quiet }, async () => {
  await (await spawn(hog)).wait();
  await (await spawn(crash)).wait();
});

/* Prints:
--- schedtrace, for one name
CREATE:0.418563:Task(id=2, name='spam', state='READY')
RUN:0.418989:Task(id=2, name='spam', state='RUNNING')
SUSPEND:0.419334:Task(id=2, name='spam', state='TIME_SLEEP')
RUN:0.430761:Task(id=2, name='spam', state='RUNNING')
SUSPEND:0.431229:Task(id=2, name='spam', state='TERMINATED')
TERMINATED:0.431355:Task(id=2, name='spam', state='TERMINATED')
--- traptrace, for one name
CREATE:0.432111:Task(id=5, name='spam', state='READY')
RUN:0.432291:Task(id=5, name='spam', state='RUNNING')
TRAP:0.432378:sleep(0.01):Task(id=5, name='spam', state='TIME_SLEEP')
SUSPEND:0.432548:Task(id=5, name='spam', state='TIME_SLEEP')
RUN:0.442942:Task(id=5, name='spam', state='RUNNING')
SUSPEND:0.443181:Task(id=5, name='spam', state='TERMINATED')
TERMINATED:0.443217:Task(id=5, name='spam', state='TERMINATED')
--- longblock and logcrash
Task(id=8, name='hog', state='TERMINATED') ran for 0.150 s without blocking; nothing else could run meanwhile.
Task(id=9, name='crash', state='TERMINATED') crashed: TypeError: a crash
*/
