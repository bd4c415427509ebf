// One environment using the addon, as a program or in a worker thread, that ends the way it is told to:
// argument or workerData `{ addon, ending }`. It must know nothing of the test that starts it.

import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const { addon, ending } = isMainThread ? { addon: process.argv[2], ending: process.argv[3] } : workerData;
const posix = createRequire(import.meta.url)(addon);
const { AF_UNIX, SOCK_STREAM } = posix.constants;
const say = (/** @type {unknown} */ text) =>
  isMainThread ? process.stdout.write(`${text}\n`) : parentPort?.postMessage(text);

const events = new Int32Array(128);
const area = posix.scratch(4096);
/** @type {Map<number, (mask: number) => void>} */
const handlers = new Map();
posix.onEvents((/** @type {number} */ count) => {
  for (let i = 0; i < count; i++) handlers.get(events[2 * i])?.(events[2 * i + 1]);
}, events);
posix.ref();

let nextToken = 1;

/** Two ends that send one message back and forth `rounds` times. */
function pingPong(/** @type {number} */ rounds, /** @type {() => void} */ done) {
  const [a, b] = posix.socketpair(AF_UNIX, SOCK_STREAM);
  let left = rounds;
  for (const fd of [a, b]) {
    const token = nextToken++;
    handlers.set(token, () => {
      const n = posix.recvScratch(fd, 0, area.length);
      if (n <= 0) return;
      if (left-- > 0) posix.sendScratch(fd, 0, n);
      else {
        posix.close(a);
        posix.close(b);
        done();
      }
    });
    posix.watch(fd, token);
  }
  posix.send(a, Buffer.from(`token ${nextToken}`), 0, 7);
}

switch (ending) {
  case 'by itself':
    // Watches are alive and nothing holds the loop.
    pingPong(1000, () => {
      pingPong(10, () => {});
      posix.unref();
      say('done');
    });
    break;
  case 'when terminated':
    for (let i = 0; i < 20; i++) pingPong(Number.MAX_SAFE_INTEGER, () => {});
    say('busy');
    break;
  case 'with descriptors of its own': {
    const [mine, given] = posix.pipe();
    const [other, lent] = posix.pipe();
    posix.closeAtExit(mine, true);
    posix.closeAtExit(given, true);
    posix.closeAtExit(given, false);
    say([mine, given, other, lent]);
    break;
  }
  case 'by process.exit in an event':
    pingPong(100, () => {
      say('leaving');
      process.exit(7);
    });
    break;
  case 'by an exception in an event':
    pingPong(100, () => {
      throw new Error('thrown in an event');
    });
    break;
  case 'after a caught exception':
    process.once('uncaughtException', (error) => {
      say(`caught: ${error.message}`);
      pingPong(100, () => posix.unref());
    });
    pingPong(100, () => {
      throw new Error('thrown in an event');
    });
    break;
  case 'while held':
    // Nothing will ever come, but somebody waits.
    say('holding');
    break;
  case 'at once':
    posix.unref();
    say('never waited');
    break;
  case 'after many threads': {
    posix.unref();
    const endings = ['by itself', 'when terminated', 'by process.exit in an event', 'at once'];
    for (const each of [...endings, ...endings]) {
      const worker = new Worker(new URL(import.meta.url), { workerData: { addon, ending: each } });
      if (each === 'when terminated') worker.once('message', () => worker.terminate());
      await new Promise((resolve) => worker.once('exit', resolve));
    }
    say('all ended');
    break;
  }
  default:
    throw new Error(`how is this to end: ${ending}`);
}
