/*
 * Where those who have come to a channel show their keys, many at a time, so that one who says nothing holds up nobody else.
 * Each does so in a task of its own; who is done while nobody waits in accept() is kept for the next call.
 */

import { CancelledError, ReadResourceBusy, TaskCancelled, TaskTimeout } from '../errors.ts';
import { type Address, addressText } from '../io/address.ts';
import type { Socket } from '../io/socket.ts';
import { Event } from '../sync/event.ts';
import type { Guard } from '../sync/guard.ts';
import { Semaphore } from '../sync/semaphore.ts';
import { newTask, type Task } from '../task.ts';
import { timeoutAfter } from '../time.ts';
import { enter, report, requestCancel, shield, type TaskRecord, unshield } from '../traps.ts';
import type { Connection } from './connection.ts';
import { connectionOver, PATIENCE, type Terms } from './terms.ts';

/** How many may show their keys at a time; the others stand in line at the socket. */
const PLACES = 100;

/** Somebody who has come. */
type Guest = readonly [sock: Socket, address: Address];

/** Somebody who has shown the key. */
interface Friend {
  sock: Socket;
  key: Buffer;
  connection: Connection;
}

export class Reception {
  #open = false;
  readonly #friends: Friend[] = [];
  readonly #guests = new Set<Task>();
  readonly #places = new Semaphore(PLACES);
  readonly #news = new Event();
  #era = 0;

  /**
   * Lets guests in until one has shown the key, and gives that one's connection.
   * @param admit waits for the next guest
   */
  async welcome(caller: TaskRecord, terms: Terms, admit: () => Promise<Guest>): Promise<Connection> {
    if (this.#open)
      throw new ReadResourceBusy(
        'Channel.accept(): another task is already accepting here. One task does so at a time.',
      );
    this.#open = true;
    const door = { error: null as unknown };
    const doorkeeper = newTask(caller, () => this.#keepDoor(door, terms, admit), [], {
      daemon: true,
      name: 'Channel.accept',
    });
    try {
      for (;;) {
        const friend = this.#friends.findIndex(({ key }) => key.equals(terms.key as Buffer));
        if (friend >= 0) return (this.#friends.splice(friend, 1)[0] as Friend).connection;
        if (door.error !== null) throw door.error;
        this.#news.clear();
        await this.#news.wait();
      }
    } finally {
      this.#open = false;
      await dismiss(caller, doorkeeper);
    }
  }

  async #keepDoor(door: { error: unknown }, terms: Terms, admit: () => Promise<Guest>): Promise<void> {
    const self = enter() as TaskRecord;
    try {
      for (;;) {
        const place = await this.#places.acquire();
        let guest: Guest;
        try {
          guest = await admit();
        } catch (error) {
          place.release();
          throw error;
        }
        const task = newTask(self, () => this.#examine(guest, place, terms), [], {
          daemon: true,
          name: 'Channel.authenticate',
        });
        this.#guests.add(task);
      }
    } catch (error) {
      if (error instanceof CancelledError) throw error;
      door.error = error;
    } finally {
      await this.#news.set();
    }
  }

  async #examine([sock, address]: Guest, place: Guard, terms: Terms): Promise<void> {
    const self = enter() as Task;
    const era = this.#era;
    const key = terms.key as Buffer;
    try {
      const connection = connectionOver(sock, terms);
      await timeoutAfter(PATIENCE, () => connection.authenticateServer(key, { digest: terms.digest }));
      if (era === this.#era) this.#friends.push({ sock, key, connection });
      else sock.closeNow();
    } catch (error) {
      sock.closeNow();
      if (error instanceof CancelledError && !(error instanceof TaskTimeout)) throw error;
      const reason =
        error instanceof TaskTimeout
          ? `it has not shown its key within ${PATIENCE} s`
          : (error as Error).message;
      report(self, 'warn', `A channel has dropped a client from ${addressText(address)}: ${reason}`);
    } finally {
      place.release();
      this.#guests.delete(self);
      await this.#news.set();
    }
  }

  /** Nobody is expected any more. */
  close(): void {
    this.#era++;
    for (const guest of this.#guests) requestCancel(guest, TaskCancelled, enter());
    for (const { sock } of this.#friends.splice(0)) sock.closeNow();
  }
}

/** Ends a task, and waits until it has ended, whatever befalls the caller meanwhile. */
async function dismiss(caller: TaskRecord, task: Task): Promise<void> {
  shield(caller);
  try {
    requestCancel(task, TaskCancelled, caller);
    await task.wait();
  } finally {
    unshield(caller);
  }
}
