/*
 * A place where one task waits for something that Node need not count as work to do: the process stays alive as long as
 * somebody is in it.
 */

import { hold, release, type TaskRecord, WaitSlot } from '../traps.ts';

export class HeldSlot extends WaitSlot {
  override add(record: TaskRecord): void {
    super.add(record);
    hold(record);
  }

  override remove(): void {
    this.#leave();
    super.remove();
  }

  override wake(value?: unknown): boolean {
    this.#leave();
    return super.wake(value);
  }

  override fail(error: unknown): boolean {
    this.#leave();
    return super.fail(error);
  }

  #leave(): void {
    if (this.task === null) return;
    release(this.task);
    this.left();
  }

  /** Called when the task has been woken, or leaves without. */
  protected left(): void {}
}
