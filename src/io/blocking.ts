/*
 * What `blocking()` gives: the raw object in blocking mode for as long as a block lasts. Meanwhile both
 * places of the handle are taken, so that every operation of tasks is refused.
 */

import { isThenable } from '../base/callable.ts';
import { enterComposite, handled, outsideError } from '../traps.ts';
import type { Handle } from './driver.ts';

/**
 * A raw object in blocking mode: what `blocking()` of a socket or stream gives. Disposal ends the mode.
 * @see Reference manual, "Socket"
 * @see Reference manual, "Streams"
 * @see Tutorial, "Blocking I/O"
 */
export class Blocking<R> implements Disposable {
  readonly raw: R;
  #handle: Handle | null;

  private constructor(raw: R, handle: Handle) {
    this.raw = raw;
    this.#handle = handle;
  }

  /** @internal Enters the mode: for the length of `fn`, or without one until disposal. */
  static of<R, T>(
    handle: Handle,
    operation: string,
    fn: ((raw: R) => T | PromiseLike<T>) | undefined,
    check: () => void = () => {},
  ): Blocking<R> | Promise<T> {
    const open = () => {
      const task = enterComposite(operation);
      if (task === null) throw outsideError(operation);
      check();
      for (const slot of [handle.reader, handle.writer]) {
        if (slot.task !== null) throw slot.busyError(operation);
      }
      const raw = handle.setBlocking(true);
      handle.reader.occupy(task);
      handle.writer.occupy(task);
      return new Blocking<R>(raw as R, handle);
    };
    if (fn === undefined) return open();
    return handled(during(open, fn));
  }

  /** Ends the mode; a second call does nothing. */
  [Symbol.dispose](): void {
    const handle = this.#handle;
    this.#handle = null;
    if (handle === null) return;
    handle.reader.vacate();
    handle.writer.vacate();
    if (!handle.closed) handle.setBlocking(false);
  }
}

/** Enters a mode for as long as a function takes. One that is synchronous has ended it when it returns, also for who forgets to await. */
export async function during<R, T>(
  open: () => Disposable & { raw: R },
  fn: (raw: R) => T | PromiseLike<T>,
): Promise<T> {
  const mode = open();
  try {
    const result = fn(mode.raw);
    return isThenable(result) ? await result : result;
  } finally {
    mode[Symbol.dispose]();
  }
}
