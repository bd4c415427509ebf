/*
 * The activations of one kernel, called in the order they were given. They are
 * the user's code: what one throws is logged, and neither the kernel nor the
 * other activations notice. A kernel without activations has no Observers at all.
 */

import type { Activation } from '../activation.ts';
import { isThenable } from '../base/callable.ts';
import { type Logger, logTo } from '../base/logger.ts';
import { errorText } from '../base/stack.ts';
import type { Task } from '../task.ts';
import type { TaskRecord } from './record.ts';

export class Observers {
  readonly #activations: Activation[];
  readonly #logger: Logger;

  constructor(activations: Activation[], logger: Logger) {
    this.#activations = activations;
    this.#logger = logger;
  }

  activate(kernel: Parameters<Activation['activate']>[0]): void {
    this.#each('activate', (activation) => activation.activate(kernel));
  }

  created(record: TaskRecord): void {
    this.#each('created', (activation) => activation.created(record as Task<unknown>));
  }

  running(record: TaskRecord): void {
    record.trap = null;
    this.#each('running', (activation) => activation.running(record as Task<unknown>));
  }

  suspended(record: TaskRecord): void {
    this.#each('suspended', (activation) => activation.suspended(record as Task<unknown>, record.trap));
  }

  terminated(record: TaskRecord): void {
    this.#each('terminated', (activation) => activation.terminated(record as Task<unknown>));
  }

  #each(event: string, call: (activation: Activation) => unknown): void {
    for (const activation of this.#activations) {
      try {
        const result = call(activation);
        // An async method fails later.
        if (isThenable(result)) result.then(undefined, (error) => this.#report(activation, event, error));
      } catch (error) {
        // swallows: an activation watches; its mistakes must not become a task's.
        this.#report(activation, event, error);
      }
    }
  }

  #report(activation: Activation, event: string, error: unknown): void {
    const name = activation.constructor.name;
    logTo(this.#logger, 'error', `The activation ${name} threw in ${event}(): ${errorText(error)}`);
  }
}
