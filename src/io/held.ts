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
    const left = this.#letGo();
    super.remove();
    if (left) this.left();
  }

  override wake(value?: unknown): boolean {
    const left = this.#letGo();
    super.wake(value);
    if (left) this.left();
    return left;
  }

  override fail(error: unknown): boolean {
    const left = this.#letGo();
    super.fail(error);
    if (left) this.left();
    return left;
  }

  /** False if nobody is here. */
  #letGo(): boolean {
    if (this.task === null) return false;
    release(this.task);
    return true;
  }

  /** Called when the task has been woken, or has left without. */
  protected left(): void {}
}
