/*
 * `curio where`: where one task is, in a process that was not started with the monitor.
 */

import { Argument, type Command } from 'commander';
import { attaching, look, numberFrom } from './attach/look.ts';

export function define(command: Command): void {
  attaching(command)
    .addArgument(new Argument('<task>', 'the number of the task, as ps shows it').argParser(numberFrom))
    .action((pid: number, task: number, options: { json?: boolean }) => look(pid, `where ${task}`, options));
}
