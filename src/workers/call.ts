/*
 * One call of a function elsewhere, and the task that waits for it.
 */

import { Buffer } from 'node:buffer';
import { functionName } from '../base/callable.ts';
import { HeldSlot } from '../io/held.ts';
import { openEnvelope } from './envelope.ts';
import { asBuffer, type CallMessage, type Mark, type Reply, standingAlone } from './message.ts';
import { crossesByHandle } from './travel/crossing.ts';
import type { Shipment } from './travel/shipment.ts';

/**
 * Options of `runInThread()`, `runInProcess()` and `blockInThread()`, before the function.
 * @see Reference manual, "Blocking Operations and External Work"
 * @example
 * const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
 * const total = await timeoutAfter(1, () => runInThread({ onCancel: 'abandon' }, sum, [1, 2, 3]));
 */
export interface CallOptions {
  /**
   * What becomes of the function when the calling task is cancelled: `'terminate'` (the default) ends the worker that runs
   * it, `'abandon'` lets it finish and ignores what it gives.
   */
  onCancel?: 'terminate' | 'abandon' | undefined;
  /** What to move instead of copying it, such as ArrayBuffers and MessagePorts among the arguments. Threads only. */
  transfer?: readonly (ArrayBuffer | object)[] | undefined;
}

let count = 0;

export class Call extends HeldSlot {
  /** Its place among all calls. */
  readonly nth = ++count;
  /** What messages call the function. */
  readonly name: string;
  readonly shipment: Shipment;
  readonly args: readonly unknown[];
  readonly options: CallOptions;
  /** False once its task waits no more. */
  isWanted = true;
  /** Who does what there is to do when the task that waits is cancelled. */
  withdraw: () => void = () => {};
  /** Called when the call is over, or its task waits no more. */
  over: () => void = () => {};

  constructor(fn: { name: string }, shipment: Shipment, args: readonly unknown[], options: CallOptions) {
    super();
    const name = functionName(fn);
    this.name = name === 'anonymous' ? 'the function' : `${name}()`;
    this.shipment = shipment;
    this.args = args;
    this.options = options;
  }

  /** What a worker is sent. */
  message(fn: Shipment | number, linger: boolean): CallMessage {
    const { args, marks } = packArguments(this.args);
    const universal = this.shipment.universal || marks?.includes('shared') === true;
    return { fn, name: this.name, args, marks, universal, linger };
  }

  /** Something among its arguments is moved, not copied: it can be sent only once. */
  get isMoving(): boolean {
    return this.options.transfer !== undefined;
  }

  override remove(): void {
    // Before anybody else's turn comes: the worker may be the one he gets.
    this.withdraw();
    super.remove();
  }

  protected override left(): void {
    this.over();
  }

  /** The end of the call. */
  settle(reply: Reply, remote: 'thread' | 'process'): void {
    if (!('error' in reply)) this.wake(reply.isBuffer ? asBuffer(reply.value) : reply.value);
    else this.fail(remote === 'process' ? withRemoteStack(reply) : openEnvelope(reply.error));
  }
}

/** Makes arguments fit to be copied. */
function packArguments(args: readonly unknown[]): Pick<CallMessage, 'args' | 'marks'> {
  if (!args.some((arg) => Buffer.isBuffer(arg) || crossesByHandle(arg))) return { args, marks: null };
  const marks: (Mark | undefined)[] = [];
  const packed = args.map((arg, i) => {
    if (crossesByHandle(arg)) {
      marks[i] = 'shared';
      return arg.handle();
    }
    if (!Buffer.isBuffer(arg)) return arg;
    marks[i] = 'buffer';
    return standingAlone(arg);
  });
  return { args: packed, marks };
}

function withRemoteStack({ error: envelope }: { error: Parameters<typeof openEnvelope>[0] }): unknown {
  const error = openEnvelope(envelope);
  if (error instanceof Error && error.cause === undefined) {
    Object.defineProperty(error, 'cause', {
      value: `In the worker process:\n${error.stack}`,
      writable: true,
      configurable: true,
    });
  }
  return error;
}
