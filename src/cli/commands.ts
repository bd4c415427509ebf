/*
 * The commands of `curio`, in the order in which `--help` shows them. Each lives in a file of its own, which is loaded
 * only when the command is given. It must know nothing of what they do.
 */

import type { Command } from 'commander';

/** A file with a command in it. */
export interface CommandFile {
  /**
   * Adds the command's arguments, options and action. An action that fails throws: a `CurioError` or an error of the
   * operating system is shown as its message, anything else with its stack.
   */
  define(command: Command): void;
}

export interface CommandEntry {
  name: string;
  /** One line for `curio --help`. */
  summary: string;
  load(): Promise<CommandFile>;
}

export const commands: CommandEntry[] = [
  {
    name: 'repl',
    summary: 'a prompt in a running kernel: what curio alone does',
    load: () => import('./repl.ts'),
  },
  {
    name: 'info',
    summary: 'show versions, and which I/O driver runs and why',
    load: () => import('./info.ts'),
  },
  {
    name: 'monitor',
    summary: 'look into a program that runs with its monitor',
    load: () => import('./monitor.ts'),
  },
  {
    name: 'ps',
    summary: 'the tasks of a process, prepared or not',
    load: () => import('./ps.ts'),
  },
  {
    name: 'tree',
    summary: 'the tasks of a process, each under its parent',
    load: () => import('./tree.ts'),
  },
  {
    name: 'where',
    summary: 'where a task of a process is',
    load: () => import('./where.ts'),
  },
  {
    name: 'waiters',
    summary: 'who waits for whom in a process',
    load: () => import('./waiters.ts'),
  },
  {
    name: 'top',
    summary: "a program's tasks in a terminal, live",
    load: () => import('./top.ts'),
  },
  {
    name: 'dashboard',
    summary: "a program's tasks in a browser, live",
    load: () => import('./dashboard.ts'),
  },
];

/** What `curio` means when nothing follows it. */
export const alone = ['repl'];
