/*
 * Every error class of Curio, with its stable `code`.
 *
 * Nothing here knows tasks or kernels; a task appears only as the value of
 * `requestedBy`. `code` is what programs should compare: names and messages
 * are for people and may get better.
 */

import type { Task } from './task.ts';

function identify(cls: { prototype: object }, name: string, code: string): void {
  // On the prototype, so that an error object costs no extra field, and spelled
  // out, so that a minifier which renames classes does not rename errors.
  Object.defineProperty(cls.prototype, 'name', { value: name, writable: true, configurable: true });
  Object.defineProperty(cls.prototype, 'code', { value: code, writable: true, configurable: true });
}

/**
 * Base class of all errors that Curio itself raises.
 * @see Reference manual, "Exceptions"
 */
export class CurioError extends Error {
  /** Stable identifier such as `'ERR_CURIO_TASK_BUSY'`. */
  declare readonly code: string;
  static {
    identify(this, 'CurioError', 'ERR_CURIO');
  }
}

/**
 * Base class of everything that is thrown into a task to make it stop:
 * cancellations and timeouts. Code that catches it should clean up and rethrow it.
 * @see Reference manual, "Exceptions"
 */
export class CancelledError extends CurioError {
  static {
    identify(this, 'CancelledError', 'ERR_CURIO_CANCELLED');
  }
  // Accessors, here and below: Node prints the own properties of an error that ends the process, and all of a task would be among them.
  #requestedBy: Task<unknown> | null = null;
  #requestedAt: [filename: string, line: number] | null = null;
  /** What a cancelled `sendall` had handed to the operating system. */
  declare bytesSent?: number;
  /** What a cancelled `readall`, `readExactly` had read (a string for text files). */
  declare bytesRead?: Buffer | string;
  /** What a cancelled `write` or `writelines` had written. */
  declare bytesWritten?: number;
  /** The complete lines a cancelled `readlines` had read. */
  declare linesRead?: (Buffer | string)[];
  /** Standard output that a cancelled subprocess operation had collected. */
  declare stdout?: Buffer;
  /** Standard error that a cancelled subprocess operation had collected. */
  declare stderr?: Buffer;

  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    if (message === undefined) this.message = this.name;
  }

  /** The task that asked for the cancellation, or null when no task did (a timeout, a signal, a shutdown). */
  get requestedBy(): Task<unknown> | null {
    return this.#requestedBy;
  }

  set requestedBy(task: Task<unknown> | null) {
    this.#requestedBy = task;
  }

  /** `[filename, line]` of the request, when stacks are on. */
  get requestedAt(): [filename: string, line: number] | null {
    return this.#requestedAt;
  }

  set requestedAt(place: [filename: string, line: number] | null) {
    this.#requestedAt = place;
  }
}

/**
 * Thrown into a task at its next blocking operation after `task.cancel()`.
 * @see Reference manual, "Exceptions"
 */
export class TaskCancelled extends CancelledError {
  static {
    identify(this, 'TaskCancelled', 'ERR_CURIO_TASK_CANCELLED');
  }
}

/**
 * Thrown into a task whose `timeoutAfter()` has run out.
 * @see Reference manual, "Exceptions"
 */
export class TaskTimeout extends CancelledError {
  static {
    identify(this, 'TaskTimeout', 'ERR_CURIO_TASK_TIMEOUT');
  }
  #clock: number = Number.NaN;

  /** The kernel's clock, in seconds, when the timeout expired; it tells which `timeoutAfter` was meant. */
  get clock(): number {
    return this.#clock;
  }

  set clock(now: number) {
    this.#clock = now;
  }
}

/**
 * What an inner `timeoutAfter()` reports when not its own time ran out, but that of one around it.
 * @see Reference manual, "Exceptions"
 */
export class TimeoutCancellationError extends CancelledError {
  static {
    identify(this, 'TimeoutCancellationError', 'ERR_CURIO_TIMEOUT_CANCELLATION');
  }
  #clock: number = Number.NaN;

  /** The kernel's clock, in seconds, when the timeout expired. */
  get clock(): number {
    return this.#clock;
  }

  set clock(now: number) {
    this.#clock = now;
  }
}

/**
 * An inner timeout left an outer `timeoutAfter()` or `ignoreAfter()` without having been caught.
 * @see Reference manual, "Exceptions"
 */
export class UncaughtTimeoutError extends CurioError {
  static {
    identify(this, 'UncaughtTimeoutError', 'ERR_CURIO_UNCAUGHT_TIMEOUT');
  }
}

/**
 * A joined task failed; `cause` is the exception it failed with.
 * @see Reference manual, "Exceptions"
 */
export class TaskError extends CurioError {
  static {
    identify(this, 'TaskError', 'ERR_CURIO_TASK_ERROR');
  }
}

/** A task was ended from outside in the middle of whatever it did: by the monitor's `kill`, or a hard timeout. */
export class TaskKilled extends CurioError {
  static {
    identify(this, 'TaskKilled', 'ERR_CURIO_TASK_KILLED');
  }
}

/** A task began a second blocking operation while its first was still waiting. */
export class TaskBusyError extends CurioError {
  static {
    identify(this, 'TaskBusyError', 'ERR_CURIO_TASK_BUSY');
  }
}

/** Nothing could wake any task any more. */
export class DeadlockError extends CurioError {
  static {
    identify(this, 'DeadlockError', 'ERR_CURIO_DEADLOCK');
  }
  /** The ids of tasks that wait for each other in a circle, each for the next and the last for the first. Of very many only some. */
  circles: number[][] = [];
}

/**
 * Synchronous I/O was asked of an object that has only asynchronous I/O.
 * @see Reference manual, "Exceptions"
 */
export class SyncIOError extends CurioError {
  static {
    identify(this, 'SyncIOError', 'ERR_CURIO_SYNC_IO');
  }
}

/**
 * `AWAIT()`, or a synchronous block, was used outside an async thread.
 * @see Reference manual, "Exceptions"
 */
export class AsyncOnlyError extends CurioError {
  static {
    identify(this, 'AsyncOnlyError', 'ERR_CURIO_ASYNC_ONLY');
  }
}

/**
 * The same operation on the same resource is already waiting in another task.
 * @see Reference manual, "Exceptions"
 */
export class ResourceBusy extends CurioError {
  static {
    identify(this, 'ResourceBusy', 'ERR_CURIO_RESOURCE_BUSY');
  }
}

/**
 * Another task is already reading.
 * @see Reference manual, "Exceptions"
 */
export class ReadResourceBusy extends ResourceBusy {
  static {
    identify(this, 'ReadResourceBusy', 'ERR_CURIO_READ_BUSY');
  }
}

/**
 * Another task is already writing.
 * @see Reference manual, "Exceptions"
 */
export class WriteResourceBusy extends ResourceBusy {
  static {
    identify(this, 'WriteResourceBusy', 'ERR_CURIO_WRITE_BUSY');
  }
}

/** The input ended before all that was asked for had come. */
export class EOFError extends CurioError {
  static {
    identify(this, 'EOFError', 'ERR_CURIO_EOF');
  }
  /** What had come before the end. */
  bytesRead: Buffer | string;
  constructor(message?: string, options: ErrorOptions & { bytesRead?: Buffer | string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.bytesRead = options.bytesRead ?? Buffer.alloc(0);
  }
}

/** A connection of a channel cannot be used, or no longer. */
export class ConnectionError extends CurioError {
  static {
    identify(this, 'ConnectionError', 'ERR_CURIO_CONNECTION');
  }
}

/** The two ends of a channel do not share the same key. */
export class AuthenticationError extends ConnectionError {
  static {
    identify(this, 'AuthenticationError', 'ERR_CURIO_AUTHENTICATION');
  }
}

/** This driver or platform cannot do what was asked. */
export class NotSupportedError extends CurioError {
  static {
    identify(this, 'NotSupportedError', 'ERR_CURIO_NOT_SUPPORTED');
  }
}

/**
 * Curio was used in a way that can never work: the message says what to write instead.
 * @see Reference manual, "Basic Execution"
 */
export class RuntimeError extends CurioError {
  static {
    identify(this, 'RuntimeError', 'ERR_CURIO_RUNTIME');
  }
}
