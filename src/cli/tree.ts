/*
 * `curio tree`: the tasks, each under the one that spawned it, of a process that was not started with the monitor.
 */

import type { Command } from 'commander';
import { attaching, look } from './attach/look.ts';

export function define(command: Command): void {
  attaching(command).action((pid: number, options: { json?: boolean }) => look(pid, 'tree', options));
}
