/*
 * Starting a process, or finding out why it cannot be started.
 */

import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { captureStack, comesOutAt } from '../base/stack.ts';
import type { FileStream } from '../io/file-stream.ts';
import { outsideTasks } from '../traps.ts';
import type { Exit } from './exit.ts';
import { throughShell } from './merge.ts';
import { type Launch, launch, type PopenOptions } from './options.ts';
import { isGroup, signalNumber } from './signals.ts';
import { brokenPipes, Wiring } from './wiring.ts';

/** A process that has been started, or has not: `exit` will tell. */
export interface Started {
  pid: number | null;
  streams: (FileStream | null)[];
  /** True if the process has ended and left others of its group behind. */
  groupLives: boolean;
}

/**
 * Starts a process at once.
 * @throws TypeError and other errors for arguments that make no sense; what the system says goes to `exit`
 */
export function start(
  args: string | readonly string[],
  options: PopenOptions,
  who: string,
  exit: Exit,
): Started {
  const plan = launch(args, options, who);
  let wiring: Wiring | null = null;
  try {
    wiring = new Wiring(options, who);
    const { file, argv, cwd, env, processGroup } = wiring.merged ? throughShell(plan) : plan;
    const { stdio } = wiring;
    const child = outsideTasks(() =>
      process.getBuiltinModule('node:child_process').spawn(file, argv.slice(1), {
        argv0: argv[0],
        cwd,
        env,
        stdio,
        detached: processGroup,
        windowsHide: true,
      }),
    );
    if (child.pid === undefined) return notStarted(child, plan, options, wiring, exit);
    // Who waits keeps this process alive himself.
    child.unref();
    const started = { pid: child.pid, streams: wiring.connect(child), groupLives: false };
    child.once('exit', (code, signal) => {
      // Later the number of a group that has gone may be another's.
      if (processGroup) started.groupLives = isGroup(started.pid);
      exit.ended(signal === null ? (code as number) : -signalNumber(signal));
    });
    return started;
  } catch (error) {
    wiring?.abandon();
    if (!isSystemError(error)) throw error;
    const { streams, tell } = brokenPipes(options, exit);
    tell(explained(error, plan));
    return { pid: null, streams, groupLives: false };
  }
}

/** Node tells the reason a little later. */
function notStarted(
  child: ChildProcess,
  plan: Launch,
  options: PopenOptions,
  wiring: Wiring,
  exit: Exit,
): Started {
  wiring.abandon();
  const { streams, tell } = brokenPipes(options, exit);
  const place = captureStack();
  child.once('error', (error: NodeJS.ErrnoException) => {
    const reason = explained(error, plan);
    comesOutAt(place, reason);
    tell(reason);
  });
  return { pid: null, streams, groupLives: false };
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).errno === 'number';
}

/** With what may be behind it: a program that is not there is not the only reason for ENOENT. */
function explained(error: NodeJS.ErrnoException, { file, argv, cwd }: Launch): Error {
  if (error.code === 'ENOTDIR' && cwd !== undefined)
    error.message += `: ${cwd} is no directory to start it in`;
  if (error.code !== 'ENOENT') return error;
  if (cwd !== undefined && !existsSync(cwd)) error.message += `: there is no directory ${cwd} to start it in`;
  else if (argv.length === 1 && /\s/.test(file)) {
    const words = file.trim().split(/\s+/);
    error.message += `: a string is the name of a program. Write ${JSON.stringify(words)}, or add { shell: true }`;
  } else if (
    file.includes('/') &&
    existsSync(resolve(cwd instanceof URL ? fileURLToPath(cwd) : (cwd ?? '.'), file))
  )
    error.message +=
      ': the file is there, but not the program that its first line names after #!, or its loader';
  return error;
}
