/*
 * Where the kernel's own messages go: crashes, tasks nobody joined, timeouts
 * that came too late. A logger that throws is the user's code like any other:
 * it must not take the kernel with it.
 */

import { isThenable } from './callable.ts';
import { valueText } from './stack.ts';

/** What `run({ logger })` takes; `console` is one. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export type LogLevel = keyof Logger;

function write(level: LogLevel, message: string): void {
  process.stderr.write(`curio ${level}: ${message}\n`);
}

/** Writes everything to standard error, a line each. */
export const stderrLogger: Logger = {
  debug: (message) => write('debug', message),
  info: (message) => write('info', message),
  warn: (message) => write('warn', message),
  error: (message) => write('error', message),
};

/** Logs, and turns to standard error when the logger itself fails, at once or later. Never throws. */
export function logTo(logger: Logger, level: LogLevel, message: string): void {
  const failed = (error: unknown) =>
    write('error', `the logger failed (${valueText(error)}) on this message: ${message}`);
  try {
    const pending: unknown = logger[level](message);
    if (isThenable(pending)) void pending.then(undefined, failed);
  } catch (error) {
    // swallows: nothing that is Curio's; a logger is the user's code, and must not become a task's failure.
    failed(error);
  }
}
