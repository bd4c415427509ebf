/*
 * The pipe of a process that has not started: whoever reads or writes is told why.
 */

import { NoSocketHandle } from '../io/portable/no-socket.ts';
import type { Exit } from './exit.ts';

export class BrokenPipe extends NoSocketHandle {
  readonly #exit: Exit;

  constructor(exit: Exit) {
    super('a pipe');
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

  override shutdown(): void {
    this.mustBeOpen('shutdown');
  }
}
