/*
 * `curio waiters`: who waits for which lock, queue or task of a process that was not started with the monitor.
 */

import type { Command } from 'commander';
import { attaching, look } from './attach/look.ts';

export function define(command: Command): void {
  attaching(command).action((pid: number, options: { json?: boolean }) => look(pid, 'waiters', options));
}
