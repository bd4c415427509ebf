/*
 * `curio ps`: the table of the tasks of a process that was not started with the monitor.
 */

import type { Command } from 'commander';
import { attaching, look } from './attach/look.ts';

export function define(command: Command): void {
  attaching(command).action((pid: number, options: { json?: boolean }) => look(pid, 'ps', options));
}
