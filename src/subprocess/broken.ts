/*
 * The pipe of a process that has not started: whoever reads or writes is told why.
 */

import { PortableHandle, unsupported } from '../io/portable/handle.ts';
import type { Exit } from './exit.ts';

export class BrokenPipe extends PortableHandle {
  readonly #exit: Exit;

  constructor(exit: Exit) {
    super(-1, -1, -1);
    this.#exit = exit;
  }

  /** The reason is known now. */
  tell(): void {
    this.reader.ready();
    this.writer.ready();
  }

  /** Null while the reason is not known. */
  #use(syscall: string): null {
    this.mustBeOpen(syscall);
    const { error } = this.#exit;
    if (error === null) return null;
    this.#exit.told = true;
    throw error;
  }

  arm(): void {
    this.mustBeOpen('poll');
  }

  poll(): boolean {
    this.arm();
    return this.#exit.over;
  }

  recv(): null {
    return this.#use('read');
  }

  send(): null {
    return this.#use('write');
  }

  override drained(): null {
    return this.#use('write');
  }

  protected leave(): void {}

  ready(): null {
    return null;
  }

  shutdown(): void {
    this.mustBeOpen('shutdown');
  }

  connect(): never {
    throw unsupported('connect() of a pipe');
  }

  connected(): never {
    throw unsupported('connect() of a pipe');
  }

  bind(): never {
    throw unsupported('bind() of a pipe');
  }

  getsockname(): never {
    throw unsupported('getsockname() of a pipe');
  }

  getpeername(): never {
    throw unsupported('getpeername() of a pipe');
  }

  setsockopt(): never {
    throw unsupported('setsockopt() of a pipe');
  }
}
