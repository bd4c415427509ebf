/*
 * Signals sent to processes, and to groups of them.
 */

import { constants } from 'node:os';

const numbers = constants.signals as Record<string, number>;

/** The number of a signal. */
export function signalNumber(name: NodeJS.Signals): number {
  return numbers[name] ?? 0;
}

/** The name of a signal; null if this platform has none with that number. */
export function signalName(number: number): string | null {
  return Object.keys(numbers).find((name) => numbers[name] === number) ?? null;
}

/**
 * Sends a signal. False if there is no such process (with a negative number: no such group of processes) any more.
 * @throws TypeError for what is no signal
 * @throws an Error with the code EPERM if it is somebody else's
 */
export function send(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** True if a group of processes has members left. */
export function isGroup(id: number): boolean {
  try {
    return process.kill(-id, 0);
  } catch (error) {
    // swallows: nothing waits here; what is somebody else's is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
