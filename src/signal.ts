/*
 * Unix signals as something tasks wait for.
 *
 * A signal is watched through `process.on` as long as somebody here watches it,
 * and goes its usual way again (which mostly ends the process) after that.
 */

import { constants } from 'node:os';
import { describe } from './base/callable.ts';
import { Deque } from './base/deque.ts';
import { printedAsText } from './base/printing.ts';
import {
  admit,
  atShutdown,
  begin,
  block,
  type Claim,
  elsewhere,
  hold,
  letGo,
  pass,
  RESUME_CLAIM,
  RESUME_VALUE,
  refused,
  release,
  TaskList,
  type TaskRecord,
  wakeFirst,
  wakeSome,
} from './traps.ts';

type Watcher = (signal: NodeJS.Signals) => void;

const watchers = new Map<NodeJS.Signals, Set<Watcher>>();

function onSignal(signal: NodeJS.Signals): void {
  for (const watcher of [...(watchers.get(signal) ?? [])]) watcher(signal);
}

function watch(signal: NodeJS.Signals, watcher: Watcher): void {
  let group = watchers.get(signal);
  if (group === undefined) {
    process.on(signal, onSignal);
    group = new Set();
    watchers.set(signal, group);
  }
  group.add(watcher);
}

function unwatch(signal: NodeJS.Signals, watcher: Watcher): void {
  const group = watchers.get(signal);
  if (group === undefined || !group.delete(watcher) || group.size > 0) return;
  watchers.delete(signal);
  process.off(signal, onSignal);
}

function signalName(signal: unknown): NodeJS.Signals {
  const known = constants.signals as Record<string, number>;
  const name = typeof signal === 'number' ? Object.keys(known).find((key) => known[key] === signal) : signal;
  if (name === 'SIGKILL' || name === 'SIGSTOP') throw new TypeError(`No process can wait for ${name}.`);
  if (typeof name === 'string' && Object.hasOwn(known, name)) return name as NodeJS.Signals;
  throw new TypeError(`A signal is a name such as 'SIGHUP', not ${describe(signal)}.`);
}

/**
 * Tasks that wait for a signal. Node does not count that as work to do, so each keeps its kernel's process alive: as long as
 * the signal is watched, since after that it does not come.
 */
class SignalWaiters extends TaskList {
  #watched = false;

  override add(record: TaskRecord): void {
    super.add(record);
    if (this.#watched) hold(record);
  }

  override remove(record: TaskRecord): void {
    if (this.#watched && record.list === this) release(record);
    super.remove(record);
  }

  set watched(watched: boolean) {
    this.#watched = watched;
    for (let record = this.first; record !== null; record = record.next) {
      if (watched) hold(record);
      else letGo(record);
    }
  }
}

/** The sources that each kernel's tasks have waited for. */
const usedBy = new WeakMap<object, Set<SignalSource>>();

/** Watches signals from its construction until it is closed, or the kernels whose tasks waited for it have shut down. */
abstract class SignalSource implements Disposable {
  static {
    printedAsText(this);
  }

  readonly #signals: NodeJS.Signals[];
  readonly #watcher: Watcher = (signal) => this.arrived(signal);
  readonly #users = new Set<Set<SignalSource>>();
  /** @internal */
  protected readonly waiting = new SignalWaiters(this);
  #watching = false;

  constructor(signals: (NodeJS.Signals | number)[]) {
    if (signals.length === 0) {
      throw new TypeError(
        `${this.constructor.name} wants at least one signal: new ${this.constructor.name}('SIGHUP').`,
      );
    }
    this.#signals = signals.map(signalName);
    const there = elsewhere();
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    if (there !== null) return there.construct(new.target, signals) as this;
    this.#watch();
  }

  /** @internal */
  protected abstract arrived(signal: NodeJS.Signals): void;

  #watch(): void {
    if (this.#watching) return;
    this.#watching = this.waiting.watched = true;
    try {
      for (const signal of this.#signals) watch(signal, this.#watcher);
    } catch (error) {
      // This platform does not let it be caught; the others must not stay watched.
      this.close();
      throw error;
    }
  }

  /** @internal Before a task waits: watches again if need be, until that task's kernel shuts down. */
  protected use(task: TaskRecord): void {
    this.#watch();
    let used = usedBy.get(task.core);
    if (used === undefined) {
      const all = new Set<SignalSource>();
      used = all;
      usedBy.set(task.core, all);
      atShutdown(task, () => {
        for (const source of all) source.#leave(all);
      });
    }
    used.add(this);
    this.#users.add(used);
  }

  #leave(kernel: Set<SignalSource>): void {
    this.#users.delete(kernel);
    if (this.#users.size === 0) this.close();
  }

  /** Stops watching. Signals go their usual way again; a task that waits for one here waits in vain. Does not block. */
  close(): void {
    // A kernel that lives long must not remember every source that was ever used in it.
    for (const kernel of this.#users) kernel.delete(this);
    this.#users.clear();
    if (!this.#watching) return;
    this.#watching = this.waiting.watched = false;
    for (const signal of this.#signals) unwatch(signal, this.#watcher);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal */
  protected describe(state: string): string {
    return `${this.constructor.name}(${this.#signals.join(', ')}: ${state}, ${this.waiting.length} waiting)`;
  }
}

/**
 * An event that is set when a signal arrives. It may be made outside the kernel, and watches from then on: the signal
 * does not end the process.
 *
 * @see Tutorial, "Signals"
 * @example
 * using goodbye = new SignalEvent('SIGHUP');
 * await goodbye.wait();
 */
export class SignalEvent extends SignalSource {
  #set = false;

  /** @param signals names such as `'SIGHUP'`; any of them sets the event */
  constructor(...signals: (NodeJS.Signals | number)[]) {
    super(signals);
  }

  /** @internal */
  protected override arrived(): void {
    this.#raise();
  }

  #raise(): void {
    this.#set = true;
    wakeSome(this.waiting, this.waiting.length, RESUME_VALUE, undefined);
  }

  /**
   * Waits for the signal. Blocks (`SIGNAL_WAIT`) unless the event is set.
   *
   * **Cancellation:** the task stops waiting; the signal is still watched.
   */
  wait(): Promise<void> {
    const task = admit();
    if (task === null) return refused('SignalEvent.wait()');
    if (this.#set) return pass(task, undefined);
    const refusal = begin(task, 'SignalEvent.wait()');
    if (refusal !== null) return refusal;
    this.use(task);
    return block(task, 'SIGNAL_WAIT', this.waiting);
  }

  /** Sets the event as if the signal had come. Does not block. */
  set(): Promise<void> {
    const task = admit();
    if (task === null) return refused('SignalEvent.set()');
    this.#raise();
    return pass(task, undefined);
  }

  /** Makes later waiters wait for the next signal. Who has been woken stays woken. Does not block. */
  clear(): void {
    this.#set = false;
  }

  /** True from a signal, or `set()`, until `clear()`. Does not block. */
  isSet(): boolean {
    return this.#set;
  }

  override toString(): string {
    return this.describe(this.#set ? 'set' : 'unset');
  }
}

/**
 * A queue of the signals that arrive.
 * @see Tutorial, "Signals"
 * @example
 * using signals = new SignalQueue('SIGUSR1', 'SIGUSR2');
 * const name = await signals.get();
 */
export class SignalQueue extends SignalSource implements AsyncIterable<NodeJS.Signals> {
  readonly #arrived = new Deque<NodeJS.Signals>();
  #reserved = 0;

  readonly #claim: Claim = {
    take: () => {
      this.#reserved--;
      return this.#arrived.shift();
    },
    refuse: () => {
      this.#reserved--;
      this.#serve();
    },
  };

  /** @param signals names such as `'SIGHUP'` */
  constructor(...signals: (NodeJS.Signals | number)[]) {
    super(signals);
  }

  /** @internal */
  protected override arrived(signal: NodeJS.Signals): void {
    this.#arrived.push(signal);
    this.#serve();
  }

  /** A signal is there that is reserved for nobody: chooses who gets it. */
  #serve(): void {
    if (this.waiting.length === 0) return;
    this.#reserved++;
    wakeFirst(this.waiting, RESUME_CLAIM, this.#claim);
  }

  /**
   * The name of the next signal. Blocks (`SIGNAL_WAIT`) until one has arrived.
   *
   * **Cancellation:** no signal has been taken.
   */
  get(): Promise<NodeJS.Signals> {
    const task = admit();
    if (task === null) return refused('SignalQueue.get()');
    if (this.#arrived.length > this.#reserved) return pass(task, this.#arrived.shift() as NodeJS.Signals);
    const refusal = begin(task, 'SignalQueue.get()');
    if (refusal !== null) return refusal;
    this.use(task);
    return block(task, 'SIGNAL_WAIT', this.waiting);
  }

  /** How many signals have arrived and have not been taken. Does not block. */
  size(): number {
    return this.#arrived.length;
  }

  /** Signals as they arrive, without end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<NodeJS.Signals, never> {
    for (;;) yield await this.get();
  }

  override toString(): string {
    return this.describe(`${this.size()} arrived`);
  }
}
