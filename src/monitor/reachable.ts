/*
 * Makes this process one that `curio ps PID` can look into, although nobody prepared it: the desk answers, and Node's inspector, which
 * SIGUSR1 starts, will find a port. It must not know who attaches.
 */

import { workerThreads } from '../base/worker-threads.ts';
import { openDesk } from './answers.ts';

/** Node's own, for every process the same: the second that is looked into, or that runs beside a debugger, would not get it. */
const NODES_PORT = 9229;

/** To be called when a kernel runs for the first time. */
export function makeReachable(): void {
  openDesk();
  if (process.debugPort === NODES_PORT && !portWasChosen() && workerThreads().isMainThread)
    process.debugPort = 0;
}

/** By who started the process: a debugger waits there then. */
function portWasChosen(): boolean {
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((text) => /--(inspect|debug)/.test(text));
}
