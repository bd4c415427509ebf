/*
 * Serving the clients of a listening socket, each in a task of its own: what all servers of network.ts do. None of them ends because a
 * client fails, or because the system has no more descriptors for the moment.
 *
 * It must not know how sockets come to listen, nor what handlers do.
 */

import { Lineup } from './base/lineup.ts';
import { comingOutHere } from './base/stack.ts';
import { TaskCancelled } from './errors.ts';
import { type Address, addressText } from './io/address.ts';
import { lostBy } from './io/slot.ts';
import type { Socket } from './io/socket.ts';
import type { SystemError } from './io/system.ts';
import { type Plan, secured } from './ssl/socket.ts';
import { newTask, type Task } from './task.ts';
import {
  enter,
  markJoined,
  report,
  requestCancel,
  shield,
  sleep,
  type TaskRecord,
  unshield,
} from './traps.ts';

/** What serves a client, and what its tasks are named after. */
export interface Handler {
  run(client: Socket, address: Address): unknown;
  name: string;
}

/** A client that is served, in a task that this watches. */
class Visit {
  readonly #client: Socket;
  readonly #address: Address;
  readonly #server: TaskRecord;
  readonly #handlers: Lineup<TaskRecord>;

  /** @param handlers the tasks of all clients of `server` */
  constructor(client: Socket, address: Address, server: TaskRecord, handlers: Lineup<TaskRecord>) {
    this.#client = client;
    this.#address = address;
    this.#server = server;
    this.#handlers = handlers;
  }

  taskDone(task: TaskRecord): void {
    this.#client.closeNow();
    this.#handlers.delete(task);
    markJoined(task);
  }

  taskJoined(): void {}

  excuses(task: TaskRecord): boolean {
    return hasGone(this.#client, this.#address, task.outcome, this.#server);
  }
}

/** Descriptors or memory are out: for errors that pass when clients leave. */
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);
/** Seconds until the next try then. */
const PATIENCE = 0.1;

/** Accepts clients and serves each in a task of its own. Ends by being cancelled, or with an error of the listening socket. */
export async function serveClients(sock: Socket, handler: Handler): Promise<void> {
  const server = enter() as TaskRecord;
  const handlers = new Lineup<TaskRecord>();
  let exhausted = false;
  try {
    await comingOutHere(sock.ready());
    for (;;) {
      try {
        const client = await sock.accept();
        exhausted = false;
        const task = newTask(server, handler.run, client, { daemon: true, name: handler.name });
        task.onEnd = new Visit(...client, server, handlers);
        handlers.add(task);
      } catch (error) {
        const { code, message } = error as SystemError;
        if (!EXHAUSTED.has(code)) throw error;
        if (!exhausted) report(server, 'warn', `A server cannot accept clients for the moment: ${message}`);
        exhausted = true;
        await sleep(PATIENCE);
      }
    }
  } catch (error) {
    sock.closeNow();
    await endAll(server, [...handlers], error);
    throw error;
  }
}

/** A handler that gets to know its clients only once hands have been shaken. */
export function secureHandler(run: Handler['run'], plan: Plan): Handler['run'] {
  return async (plain, address) => {
    const client = secured(plain, plan);
    try {
      await run(client, address);
    } catch (error) {
      const task = enter() as TaskRecord;
      // A handler that has not got to know its client has not crashed.
      if (client.handshakeError === error)
        report(task, 'warn', `${shown(address)} was dropped. ${(error as Error).message}`);
      else if (!hasGone(client, address, error, task)) throw error;
    } finally {
      client.closeNow();
    }
  };
}

/**
 * Whether a handler has failed with nothing but this: its client broke the connection, and it had no answer to that. That is news of the
 * network, and no crash.
 */
function hasGone(client: Socket, address: Address, error: unknown, task: TaskRecord): boolean {
  if (lostBy(error) !== client.readiness) return false;
  report(task, 'warn', `${shown(address)} has gone: ${(error as Error).message}`);
  return true;
}

function shown(address: Address): string {
  // A Unix socket's has none, and one that left before it was accepted has none any more.
  return Array.isArray(address) && address[1] > 0 ? `Client ${addressText(address)}` : 'A client';
}

/** Cancels tasks, because of `cause`, and waits until they have ended, whatever befalls the caller meanwhile. */
async function endAll(caller: TaskRecord, tasks: TaskRecord[], cause: unknown): Promise<void> {
  shield(caller);
  try {
    for (const task of tasks) requestCancel(task, TaskCancelled, caller, undefined, { cause });
    for (const task of tasks) await (task as Task).wait();
  } finally {
    unshield(caller);
  }
}
