/*
 * Whom a command looks at, and that it takes leave again: the monitor of a program, or any process of this machine, which it then
 * attaches to. It must not know what is asked of them.
 */

import { Argument, InvalidArgumentError } from 'commander';
import { MONITOR_HOST, MONITOR_PORT } from '../monitor/terms.ts';
import { attach } from './attach/attached.ts';
import { connectToMonitor, type Link } from './link.ts';

export type Whom = { pid: number } | { host: string; port: number };

/** The argument that says whom. */
export function whomArgument(): Argument {
  return new Argument('[whom]', 'a process, or host:port of its monitor')
    .argParser(whomFrom)
    .default({ host: MONITOR_HOST, port: MONITOR_PORT }, `${MONITOR_HOST}:${MONITOR_PORT}`);
}

/** What is to be known about it. */
export const WHOM_HELP =
  '\nA monitor runs in programs started with run({ withMonitor: true }, …), or with\n' +
  'CURIOMONITOR=1 in their environment; one that wants a token gets that of\n' +
  "CURIOMONITOR_TOKEN. A process given by its number need not have been prepared:\nNode's inspector is open in it meanwhile, " +
  'on a free port of the loopback. That\nworks on Linux, for the same user.';

/** Connects, or attaches. @throws CurioError and what to do about it */
export function reach(whom: Whom): Promise<Link> {
  return 'pid' in whom
    ? attach(whom.pid)
    : connectToMonitor(whom.host, whom.port, process.env.CURIOMONITOR_TOKEN || undefined);
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Lets `work` talk to whoever it is, and takes leave afterwards; also when a signal ends this command, for nothing is to stay behind in a
 * process that was attached to. `interrupted` tells of that: it is time to come back then.
 */
export async function visit<T>(
  whom: Whom,
  work: (link: Link, interrupted: Promise<NodeJS.Signals>) => Promise<T>,
): Promise<T> {
  let interrupt!: (signal: NodeJS.Signals) => void;
  const interrupted = new Promise<NodeJS.Signals>((resolve) => {
    interrupt = resolve;
  });
  // Whoever insists does not have to wait.
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    const link = await reach(whom);
    try {
      return await work(link, interrupted);
    } finally {
      await link.close();
    }
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

/** The argument parser for ports. */
export function portFrom(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new InvalidArgumentError('A port is a number from 0 to 65535.');
}

function whomFrom(text: string): Whom {
  if (/^[1-9]\d{0,9}$/.test(text)) return { pid: Number(text) };
  const match = /^(.+):(\d+)$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError(
      `Write the number of a process, or host:port such as ${MONITOR_HOST}:${MONITOR_PORT}.`,
    );
  return { host: match[1]!.replace(/^\[(.*)\]$/, '$1'), port: portFrom(match[2]!) };
}
