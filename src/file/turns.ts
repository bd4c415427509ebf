/*
 * Whose turn it is to use a file. Tasks stand in line for it, operation by operation; what a cancelled task has left under way is
 * waited for first; and nobody's turn comes while the file is in blocking mode, nor once it is closed.
 *
 * It must not know what operations do: they are steps, and what is written at the end comes from contents.ts, too.
 */

import type { FileHandle } from 'node:fs/promises';
import { errorText } from '../base/stack.ts';
import { CancelledError, ResourceBusy, RuntimeError } from '../errors.ts';
import { attach, closedError, type Progress, refusedAt } from '../io/system.ts';
import { Permits } from '../sync/permits.ts';
import {
  admitComposite,
  enterComposite,
  fail,
  handled,
  outsideTasks,
  pass,
  refused,
  report,
  type Subject,
  type TaskRecord,
} from '../traps.ts';
import { Contents } from './contents.ts';
import { Device, type Step, type Steps } from './device.ts';
import type { Opened } from './opened.ts';
import { waitFor } from './wait.ts';

const CLOSE = 'AsyncFile.close()';

export class Turns<D extends string | Buffer> {
  readonly device: Device;
  /** Whether an operation may begin at once stands in it, as `free`. */
  readonly contents: Contents<D>;
  /** The line of tasks that want to use the file. */
  readonly #turn: Permits<void>;
  readonly #name: string;
  #closing: Promise<void> | null = null;
  #isClosed = false;
  #isBlocking = false;

  /** @param file what the tasks in line wait for, in reports */
  constructor(file: Subject, handle: FileHandle, { name, mode, format, info }: Opened) {
    this.#name = `'${String(name)}'`;
    this.#turn = new Permits<void>(file, 1, 'LOCK_ACQUIRE', 'an operation of an AsyncFile', () => {});
    this.device = new Device(handle, mode.append, info, {
      stepEnded: () => this.#update(),
      // The operation will not go on.
      taskEnded: () => this.#release(),
    });
    this.contents = new Contents(this.device, mode, format, () => this.#name);
  }

  /** To be called whenever one of these has changed. */
  #update(): void {
    this.contents.free =
      this.#turn.free > 0 && this.device.step === null && this.#closing === null && !this.#isBlocking;
  }

  #release(): void {
    this.#turn.release();
    this.#update();
  }

  /** Why no operation may begin now, nor go on. */
  #obstacle(operation: string): Error | null {
    if (this.#closing !== null) return closedError(operation);
    if (!this.#isBlocking) return null;
    return new ResourceBusy(
      `${operation}: ${this.#name} is in blocking mode until the block of blocking() ends.`,
    );
  }

  #check(operation: string): void {
    const obstacle = this.#obstacle(operation);
    if (obstacle !== null) throw obstacle;
  }

  // ---- Operations ----

  /**
   * Does an operation of the calling task, when it is its turn.
   * @param nothing what an error says of how far the operation came if it did not even begin
   */
  operate<T>(operation: string, steps: Steps<T>, nothing: Progress = {}): Promise<T> {
    const task = admitComposite(operation);
    if (task === null) return handled(refusedAt(refused(operation), () => nothing));
    if (!this.contents.free) return handled(this.#inTurn(task, operation, steps, nothing));
    let first: IteratorResult<Step, T>;
    try {
      first = steps.next();
    } catch (error) {
      // swallows: nothing; operations reject.
      return fail(task, error);
    }
    if (first.done) return pass(task, first.value);
    this.#turn.free--;
    this.contents.free = false;
    return handled(this.#goOn(task, operation, steps, first));
  }

  /** An operation that must wait for others first. */
  async #inTurn<T>(task: TaskRecord, operation: string, steps: Steps<T>, nothing: Progress): Promise<T> {
    let itsTurn = false;
    try {
      this.#check(operation);
      await this.#turn.acquire();
      itsTurn = true;
      this.contents.free = false;
      this.#check(operation);
      await this.device.join(task, operation);
      this.#check(operation);
    } catch (error) {
      if (itsTurn) this.#release();
      for (const [name, value] of Object.entries(nothing)) attach(error, name, value);
      throw error;
    }
    return this.#goOn(task, operation, steps, null);
  }

  /** Does the steps of an operation, or those from its first one on; it is this task's turn until it ends. */
  async #goOn<T>(
    task: TaskRecord,
    operation: string,
    steps: Steps<T>,
    first: IteratorResult<Step, T> | null,
  ): Promise<T> {
    try {
      for (let next = first ?? steps.next(); ; ) {
        if (next.done) return next.value;
        try {
          await this.device.perform(task, operation, next.value);
          this.#check(operation);
        } catch (error) {
          // swallows: nothing; the operation throws it again, and may say how far it came.
          next = steps.throw(error);
          continue;
        }
        next = steps.next();
      }
    } finally {
      this.#release();
    }
  }

  // ---- Blocking mode ----

  /** @throws an Error if the file is closed, or anybody is using it */
  requireUnused(operation: string): void {
    this.#check(operation);
    if (!this.contents.free)
      throw new ResourceBusy(`${operation}: a task is using ${this.#name}. Wait until it has finished.`);
  }

  /** From now on operations are refused, until the mode is left. */
  enterBlocking(): void {
    this.#isBlocking = true;
    this.contents.free = false;
  }

  leaveBlocking(): void {
    this.#isBlocking = false;
    this.#update();
  }

  // ---- Other users of the descriptor ----

  /**
   * Before a process is given the descriptor: hands over what was written.
   * @throws RuntimeError if the process would not begin where the file stands
   */
  handOver(who: string): void {
    if (this.#closing !== null) return;
    const { contents, device } = this;
    if (contents.input.unread || !device.inPlace)
      throw new RuntimeError(
        `${who}: ${this.#name} has been read ahead or moved with seek(), and the process would begin elsewhere in it. ` +
          'Open it once more for the process.',
      );
    if (contents.free) for (const step of contents.flush()) device.performSync(step);
  }

  // ---- The end ----

  /** True once the file is being closed. */
  get closed(): boolean {
    return this.#closing !== null;
  }

  /** Closes the file, and waits for that (`FUTURE_WAIT`). */
  close(): Promise<void> {
    const task = enterComposite(CLOSE);
    if (task === null) return refused(CLOSE);
    if (this.#isClosed) return pass(task, undefined);
    if (this.#closing !== null) return handled(waitFor(task, CLOSE, () => this.#closing as Promise<void>));
    if (this.#isBlocking) return fail(task, this.#obstacle(CLOSE));
    return handled(this.#close(task));
  }

  async #close(task: TaskRecord): Promise<void> {
    const closing = handled(outsideTasks(() => this.#shut()));
    this.#closing = closing;
    this.contents.free = false;
    this.device.interrupt(closedError);
    try {
      await waitFor(task, CLOSE, () => closing);
    } catch (error) {
      if (error instanceof CancelledError) {
        closing.catch(
          // swallows: nothing; the task that would have been told was cancelled, and the log is.
          (late) =>
            report(task, 'error', `Closing ${this.#name} after its task was cancelled: ${errorText(late)}`),
        );
      }
      throw error;
    }
  }

  /** Flushes and closes; no task can stop it any more. */
  async #shut(): Promise<void> {
    try {
      await this.device.settled();
      for (const step of this.contents.flush()) {
        await this.device.start(step);
        if (step.error !== null) throw step.error;
      }
    } finally {
      this.contents.discard();
      await this.device.handle.close();
      this.#isClosed = true;
    }
  }
}
