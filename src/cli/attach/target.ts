/*
 * What the system tells about a process that somebody wants to look into: whether that may be done, and on which ports it listens. A
 * signal that Node takes for a request kills anything else, so nothing is sent on a guess. It must not know inspectors.
 */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { CurioError } from '../../errors.ts';

const SIGUSR1 = 10;
/** What the kernel calls a socket that listens, in /proc/net/tcp. */
const LISTENS = '0A';

/** A process that cannot be looked into, and why. */
export class NotAttachable extends CurioError {}

/** @throws NotAttachable for what is not a process of Node and of this user */
export function checkTarget(pid: number): void {
  if (process.platform !== 'linux')
    throw new NotAttachable(
      `Attaching to a process works on Linux only. Start the program with CURIOMONITOR=1, and use curio monitor.`,
    );
  if (pid === process.pid) throw new NotAttachable(`Process ${pid} is this very command.`);
  const owner = told(pid, () => statSync(`/proc/${pid}`).uid);
  if (owner !== process.getuid?.())
    throw new NotAttachable(
      `Process ${pid} belongs to another user (${owner}). Only that user may look into it.`,
    );
  const program = told(pid, () => readlinkSync(`/proc/${pid}/exe`));
  if (!/^node/.test(basename(program)))
    throw new NotAttachable(`Process ${pid} is no Node program: it runs ${program}.`);
  if (!catches(pid, SIGUSR1))
    throw new NotAttachable(
      `Process ${pid} cannot be looked into: it has not started yet, or was started with --disable-sigusr1.`,
    );
}

function catches(pid: number, signal: number): boolean {
  const status = told(pid, () => readFileSync(`/proc/${pid}/status`, 'utf8'));
  const mask = /^SigCgt:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

/** The ports of the loopback on which the process listens. */
export function listeningPorts(pid: number): Set<number> {
  const sockets = socketsOf(pid);
  const ports = new Set<number>();
  for (const line of told(pid, () => readFileSync(`/proc/${pid}/net/tcp`, 'utf8')).split('\n')) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    if (state === LISTENS && sockets.has(inode)) ports.add(Number.parseInt(local.split(':')[1] ?? '', 16));
  }
  return ports;
}

function socketsOf(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const fd of told(pid, () => readdirSync(`/proc/${pid}/fd`))) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // swallows: a descriptor that has been closed since it was listed.
    return '';
  }
}

/** What /proc says. @throws NotAttachable if it says nothing */
function told<T>(pid: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH')
      throw new NotAttachable(`There is no process ${pid}, or it has ended.`, { cause: error });
    if (code === 'EACCES' || code === 'EPERM')
      throw new NotAttachable(`The system does not let this user look into process ${pid}.`, {
        cause: error,
      });
    throw error;
  }
}
