/*
 * Connecting to a host that has several addresses (RFC 8305, "Happy Eyeballs"): they are tried
 * one after the other, each a quarter of a second after the one before or as soon as that
 * has failed, and the first connection that stands wins.
 */

import { comesOutHere } from '../base/stack.ts';
import { TaskGroup } from '../group.ts';
import { ignoreAfter } from '../time.ts';
import type { Address } from './address.ts';
import { driver } from './choice.ts';
import { SOCK_STREAM } from './constants.ts';
import type { Candidate } from './names.ts';
import { Socket } from './socket.ts';
import { attach, type SystemError } from './system.ts';

/** Seconds until the next address is tried beside the last. */
const DELAY = 0.25;

/**
 * Connects to the first of these addresses that answers. Blocks.
 *
 * **Cancellation:** nothing is left behind.
 */
export async function connectToFirst(
  hosts: readonly Candidate[],
  port: number,
  source: Address | null,
): Promise<Socket> {
  const [only] = hosts;
  if (only !== undefined && hosts.length === 1) return connectTo(only, port, source);
  const line = alternating(hosts);
  const sockets = new Set<Socket>();
  const failures: unknown[] = [];
  const group = new TaskGroup<Socket | Error>({ wait: null });
  try {
    for (;;) {
      const host = line.shift();
      if (host !== undefined) await group.spawn(attempt, host, port, source, sockets);
      const task = line.length > 0 ? await ignoreAfter(DELAY, nextDone, group) : await nextDone(group);
      if (task === undefined) continue;
      if (task === null) throw failure(failures);
      const outcome = task.result;
      if (outcome instanceof Socket) {
        sockets.delete(outcome);
        return outcome;
      }
      failures.push(outcome);
    }
  } finally {
    await group[Symbol.asyncDispose]();
    for (const sock of sockets) sock.closeNow();
  }
}

const nextDone = (group: TaskGroup<Socket | Error>) => group.nextDone();

/** One attempt, in a task of its own. That it fails is a result: another one may succeed. */
async function attempt(
  host: Candidate,
  port: number,
  source: Address | null,
  sockets: Set<Socket>,
): Promise<Socket | Error> {
  try {
    const sock = await connectTo(host, port, source);
    sockets.add(sock);
    return sock;
  } catch (error) {
    if ((error as Partial<SystemError>).syscall === undefined) throw error;
    return error as SystemError;
  }
}

async function connectTo(host: Candidate, port: number, source: Address | null): Promise<Socket> {
  const sock = new Socket(driver().open(host.family, SOCK_STREAM, 0));
  try {
    if (source !== null) sock.bind(source);
    await sock.connect([host.host, port]);
  } catch (error) {
    sock.closeNow();
    throw error;
  }
  return sock;
}

/** The first one, then one of the other family, and so on: if a family does not work, little time is lost. */
function alternating(hosts: readonly Candidate[]): Candidate[] {
  const mine = hosts.filter((host) => host.family === hosts[0]!.family);
  const others = hosts.filter((host) => host.family !== hosts[0]!.family);
  const result: Candidate[] = [];
  while (mine.length + others.length > 0) {
    result.push(...mine.splice(0, 1), ...others.splice(0, 1));
  }
  return result;
}

/** The error of the address that was tried first; `errors` are all of them. */
function failure(failures: unknown[]): unknown {
  if (failures.length > 1) attach(failures[0], 'errors', failures);
  comesOutHere(failures[0]);
  return failures[0];
}
