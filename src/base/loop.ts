/*
 * The turns of the event loop, by Node's own functions: where a test has put fake timers in their place, time stands
 * still, but the kernel goes on.
 */

import * as timers from 'node:timers';

// As they are now: what replaces them later replaces the module's, too.
const { setImmediate, setTimeout, clearTimeout, setInterval, clearInterval } = timers;

/** Calls back after what Node does now, before it does anything else. */
export const nextTick: typeof process.nextTick = process.nextTick;

/** Calls back in the next turn of the event loop. */
export const nextTurn: (callback: () => void) => NodeJS.Immediate = setImmediate;

/** Real time, whatever the test's says. */
export const setRealTimeout: (callback: () => void, ms: number) => NodeJS.Timeout = setTimeout;
export const clearRealTimeout: (timeout: NodeJS.Timeout) => void = clearTimeout;
export const setRealInterval: (callback: () => void, ms: number) => NodeJS.Timeout = setInterval;
export const clearRealInterval: (interval: NodeJS.Timeout) => void = clearInterval;
