// A logger that remembers, for tests of what the kernel and the debuggers say. It must know nothing of Curio's insides.

import type { Logger } from 'curio';

export interface Recorder extends Logger {
  /** What was logged, in order: `'warn: Task never joined …'`. */
  readonly lines: string[];
  /** The messages of one level. */
  of(level: keyof Logger): string[];
}

export function recorder(): Recorder {
  const entries: { level: keyof Logger; message: string }[] = [];
  const to = (level: keyof Logger) => (message: string) => void entries.push({ level, message });
  return {
    debug: to('debug'),
    info: to('info'),
    warn: to('warn'),
    error: to('error'),
    get lines() {
      return entries.map(({ level, message }) => `${level}: ${message}`);
    },
    of: (level) => entries.filter((entry) => entry.level === level).map((entry) => entry.message),
  };
}
