// A plain worker thread, as somebody writes it who has Curio's handles and node:worker_threads. It must know nothing of
// the tests.

import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

const require = createRequire(import.meta.url);
require('tsx/cjs/api').register();
/** @type {typeof import('../../src/index.ts')} */
const { ignoreAfter, run, UniversalEvent, UniversalQueue, UniversalResult } = require('../../src/index.ts');

/** @type {Record<string, (...handles: any[]) => unknown>} */
const functions = {
  doubles(from, to) {
    const there = UniversalQueue.from(from);
    const back = UniversalQueue.from(to);
    let count = 0;
    for (const item of there) {
      back.put(item * 2);
      there.taskDone();
      count++;
    }
    back.join();
    return { count, sizes: [back.size(), back.empty(), back.full()] };
  },

  answers(one, two, three) {
    const event = UniversalEvent.from(one);
    event.wait();
    const wasSet = event.isSet();
    event.clear();
    let text = '';
    try {
      UniversalResult.from(three).unwrap();
    } catch (error) {
      text = String(error);
    }
    const answer = UniversalResult.from(two);
    answer.setValue(text);
    return [wasSet, event.isSet(), answer.isSet()];
  },

  kernel(handle, ready) {
    const queue = UniversalQueue.from(handle);
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    return run({ logger }, async () => {
      await UniversalEvent.from(ready).set();
      const items = [];
      while (items.length < 20) {
        const item = await ignoreAfter(0.001, () => queue.get());
        if (item !== undefined) items.push(item);
      }
      return items;
    });
  },

  waits(handle, ready) {
    UniversalEvent.from(ready).set();
    return UniversalQueue.from(handle).get();
  },

  leaves(handle) {
    const queue = UniversalQueue.from(handle);
    for (let i = 0; i < 10_000; i++) queue.put(i);
    process.exit();
  },

  loops(handle) {
    const queue = UniversalQueue.from(handle);
    const items = [...queue];
    /** @param {() => unknown} fn */
    const attempt = (fn) => {
      try {
        return fn();
      } catch (error) {
        return /** @type {Error} */ (error).name;
      }
    };
    return { items, get: attempt(() => queue.get()), put: attempt(() => queue.put(1)) };
  },

  tries(handle) {
    try {
      return UniversalQueue.from(handle).get();
    } catch (error) {
      return String(error);
    }
  },
};

const { fn, args } = workerData;
parentPort?.postMessage(await functions[fn]?.(...args));
