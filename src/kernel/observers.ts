/*
 * The activations of one kernel, called in the order they were given. They are
 * the user's code: what one throws is logged, and neither the kernel nor the
 * other activations notice. A kernel without activations has no Observers at all,
 * and each activation is called only for what it overrides.
 */

import { Activation, type Trap } from '../activation.ts';
import { isThenable } from '../base/callable.ts';
import { type Logger, logTo } from '../base/logger.ts';
import { errorText } from '../base/stack.ts';
import type { Task } from '../task.ts';
import type { TaskRecord } from './record.ts';

/**
 * What Curio's own recorders are: activations that see more, and that need not be told the arguments of traps, which
 * would have to be made for them at every operation.
 */
export class Observer extends Activation {
  /** A waiting task has become ready; `by` is the task whose doing that was, null when it was none's. */
  woken(_task: Task<unknown>, _by: Task<unknown> | null): void {}
  /** Somebody asks the task to stop. Called on the stack of the request, before anything is delivered. */
  cancelling(_task: Task<unknown>, _exc: unknown): void {}
  /** A cancellation or timeout is thrown at this operation of the task. */
  delivered(_task: Task<unknown>, _exc: unknown, _operation: string): void {}
  /** The kernel is in a deadlock, and is about to cancel its tasks. */
  deadlocked(_report: string): void {}
}

/** Those who override a method. */
function overriding<T extends Activation>(kind: { prototype: T }, all: Activation[], event: keyof T): T[] {
  const watching = all.filter((it) => it instanceof (kind as unknown as new () => T)) as T[];
  return watching.filter((it) => it[event] !== kind.prototype[event]);
}

export class Observers {
  /** True if somebody wants to know which trap a task is suspended in, and with what arguments. */
  readonly traps: boolean;
  readonly #all: Activation[];
  readonly #created: Activation[];
  readonly #running: Activation[];
  readonly #suspended: Activation[];
  readonly #terminated: Activation[];
  readonly #woken: Observer[];
  readonly #cancelling: Observer[];
  readonly #delivered: Observer[];
  readonly #logger: Logger;

  constructor(activations: Activation[], logger: Logger) {
    this.#all = activations;
    this.#created = overriding(Activation, activations, 'created');
    this.#running = overriding(Activation, activations, 'running');
    this.#suspended = overriding(Activation, activations, 'suspended');
    this.#terminated = overriding(Activation, activations, 'terminated');
    this.#woken = overriding(Observer, activations, 'woken');
    this.#cancelling = overriding(Observer, activations, 'cancelling');
    this.#delivered = overriding(Observer, activations, 'delivered');
    this.traps = this.#suspended.some((it) => !(it instanceof Observer));
    this.#logger = logger;
  }

  activate(kernel: Parameters<Activation['activate']>[0]): void {
    this.#each(this.#all, 'activate', (it) => it.activate(kernel));
  }

  created(record: TaskRecord): void {
    this.#each(this.#created, 'created', (it) => it.created(record as Task<unknown>));
  }

  // Two calls for every switch: spelled out, without a closure for each.

  running(record: TaskRecord): void {
    if (this.traps) record.trap = null;
    for (const activation of this.#running) {
      try {
        const result: unknown = activation.running(record as Task<unknown>);
        if (result !== undefined) this.#settle(result, activation, 'running');
      } catch (error) {
        // swallows: an activation watches; its mistakes must not become a task's.
        this.#report(activation, 'running', error);
      }
    }
  }

  suspended(record: TaskRecord): void {
    const trap: Trap | null = this.traps ? record.trap : null;
    for (const activation of this.#suspended) {
      try {
        const result: unknown = activation.suspended(record as Task<unknown>, trap);
        if (result !== undefined) this.#settle(result, activation, 'suspended');
      } catch (error) {
        // swallows: an activation watches; its mistakes must not become a task's.
        this.#report(activation, 'suspended', error);
      }
    }
  }

  terminated(record: TaskRecord): void {
    this.#each(this.#terminated, 'terminated', (it) => it.terminated(record as Task<unknown>));
  }

  woken(record: TaskRecord, by: TaskRecord | null): void {
    if (this.#woken.length === 0) return;
    const waker = by === null || by.hidden ? null : (by as Task<unknown>);
    this.#each(this.#woken, 'woken', (it) => it.woken(record as Task<unknown>, waker));
  }

  cancelling(record: TaskRecord, exc: unknown): void {
    this.#each(this.#cancelling, 'cancelling', (it) => it.cancelling(record as Task<unknown>, exc));
  }

  delivered(record: TaskRecord, exc: unknown, operation: string): void {
    this.#each(this.#delivered, 'delivered', (it) => it.delivered(record as Task<unknown>, exc, operation));
  }

  deadlocked(report: string): void {
    const observers = overriding(Observer, this.#all, 'deadlocked');
    this.#each(observers, 'deadlocked', (it) => it.deadlocked(report));
  }

  #each<A extends Activation>(activations: A[], event: string, call: (activation: A) => unknown): void {
    for (const activation of activations) {
      try {
        const result = call(activation);
        if (result !== undefined) this.#settle(result, activation, event);
      } catch (error) {
        // swallows: an activation watches; its mistakes must not become a task's.
        this.#report(activation, event, error);
      }
    }
  }

  /** An async method fails later. */
  #settle(result: unknown, activation: Activation, event: string): void {
    if (isThenable(result)) result.then(undefined, (error) => this.#report(activation, event, error));
  }

  #report(activation: Activation, event: string, error: unknown): void {
    const name = activation.constructor.name;
    logTo(this.#logger, 'error', `The activation ${name} threw in ${event}(): ${errorText(error)}`);
  }
}
