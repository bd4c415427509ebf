/*
 * States of tasks that look alike wherever they are shown: they have one colour.
 */

export type Family =
  | 'RUNNING'
  | 'READY'
  | 'TIME_SLEEP'
  | 'TASK_JOIN'
  | 'IO'
  | 'LOCK'
  | 'QUEUE'
  | 'EVENT'
  | 'PROMISE'
  | 'SIGNAL';

/** States that are not here, of a program's own, look like `EVENT_WAIT`. */
export const FAMILIES: Record<string, Family> = {
  RUNNING: 'RUNNING',
  READY: 'READY',
  TIME_SLEEP: 'TIME_SLEEP',
  TASK_JOIN: 'TASK_JOIN',
  READ_WAIT: 'IO',
  WRITE_WAIT: 'IO',
  LOCK_ACQUIRE: 'LOCK',
  SEMA_ACQUIRE: 'LOCK',
  QUEUE_GET: 'QUEUE',
  QUEUE_PUT: 'QUEUE',
  QUEUE_JOIN: 'QUEUE',
  EVENT_WAIT: 'EVENT',
  COND_WAIT: 'EVENT',
  PROMISE_WAIT: 'PROMISE',
  FUTURE_WAIT: 'PROMISE',
  SIGNAL_WAIT: 'SIGNAL',
};
