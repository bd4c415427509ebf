/*
 * The monitor of a kernel, as the kernel's own thread sees it: it asks the watching thread to serve clients, and ends that when the
 * kernel shuts down.
 */

import type { AddressInfo } from 'node:net';
import { describe } from '../base/callable.ts';
import type { Kernel } from '../run.ts';
import { offer } from '../stall/desk.ts';
import { useWatch } from '../stall/watch.ts';
import { futureWait, reportIn, spawnIn, suspendedStack, type TaskRecord, tasksOf } from '../traps.ts';
import { openDesk, placeOf } from './answers.ts';
import { type Snapshot, takeSnapshot } from './snapshot.ts';
import { placeText } from './table.ts';
import { MONITOR_HOST, MONITOR_PORT } from './terms.ts';

/** Options of `new Monitor()` and `run({ withMonitor })`. */
export interface MonitorOptions {
  /** Where to listen. Default `'127.0.0.1'`. Any address but a loopback one makes clients say a token first. */
  host?: string | undefined;
  /** 0 for any that is free. Default: the environment variable CURIOMONITOR_PORT, or 48802. */
  port?: number | undefined;
  /** What clients must say first. Default: the environment variable CURIOMONITOR_TOKEN; where one is needed, a new one, which is logged. */
  token?: string | undefined;
}

const monitors = new Map<number, Monitor>();
let lastMonitor = 0;

/**
 * Serves whoever wants to look at a kernel's tasks: `nc 127.0.0.1 48802`, or `npx curio monitor`. Lives in a thread of its own, so it
 * answers while the kernel is stuck. It keeps no process alive, and closes when the kernel shuts down.
 *
 * @see Tutorial, "Tasks"
 * @example
 * const kernel = new Kernel();
 * new Monitor(kernel);
 * await kernel.run({ shutdown: true }, main);
 */
export class Monitor {
  readonly #kernel: Kernel;
  readonly #token: string | null;
  readonly #number = ++lastMonitor;
  readonly #close: () => Promise<void>;
  #closed: Promise<void> | null = null;
  #settle!: (address: [host: string, port: number] | null) => void;
  /** `[host, port]` once it listens; null if it cannot. */
  readonly address: Promise<[host: string, port: number] | null>;

  /** @throws TypeError for what is not a kernel, host, port or token */
  constructor(kernel: Kernel, { host = MONITOR_HOST, port = usualPort(), token }: MonitorOptions = {}) {
    if (typeof host !== 'string' || host === '')
      throw new TypeError(`A monitor listens on a host such as '127.0.0.1', not on ${describe(host)}.`);
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw new TypeError(`A monitor listens on a port from 0 to 65535, not on ${describe(port)}.`);
    this.#kernel = kernel;
    this.#token =
      checked(token ?? (process.env.CURIOMONITOR_TOKEN || null)) ?? (isLoopback(host) ? null : newToken());
    openDesk();
    offer('monitor listens', listens);
    offer('monitor failed', failed);
    monitors.set(this.#number, this);
    spawnIn(kernel, 'Monitor.monitor_task', () => this.#live());
    const watch = useWatch();
    // Somebody may wait for the address, and nothing else may keep the process alive yet.
    const settled = watch.stay();
    this.address = new Promise<[host: string, port: number] | null>((resolve) => {
      this.#settle = resolve;
    }).finally(settled);
    const dismiss = watch.admit('monitor/server', { host, port, token: this.#token, monitor: this.#number });
    this.#close = async () => {
      await dismiss();
      await watch.release();
      this.#settle(null);
      monitors.delete(this.#number);
    };
  }

  /** The body of the monitor's task: it waits for the end of the kernel. */
  async #live(): Promise<void> {
    try {
      await futureWait(new Promise<never>(() => {}));
    } finally {
      await this.close();
    }
  }

  /** Ends the service, and disconnects its clients. Harmless if that has been done. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Every task of the kernel, as plain data. */
  ps(): Snapshot {
    return takeSnapshot(this.#kernel);
  }

  /** Where a task is blocked, as text; for an unknown one it says so. */
  async where(id: number): Promise<string> {
    const record = tasksOf(this.#kernel).find((task: TaskRecord) => task.id === id);
    return record === undefined ? `No task ${id}` : placeText(placeOf(record, await suspendedStack(record)));
  }

  /** @internal */
  listens({ address, port }: AddressInfo): void {
    this.#settle([address, port]);
    const token = this.#token === null ? '' : ` The token is ${this.#token}.`;
    reportIn(
      this.#kernel,
      'info',
      `The monitor listens on ${address}:${port}. Connect with: npx curio monitor${port === MONITOR_PORT ? '' : ` -p ${port}`}${token}`,
    );
  }

  /** @internal */
  failed(code: string): void {
    this.#settle(null);
    const why = code === 'EADDRINUSE' ? 'another program, or another monitor, has that port' : code;
    reportIn(
      this.#kernel,
      'warn',
      `The monitor cannot listen there: ${why}. The program runs without one. Choose another port with run({ withMonitor: { port } }, …).`,
    );
  }
}

function listens(number: number, address: AddressInfo): void {
  monitors.get(number)?.listens(address);
}

function failed(number: number, code: string): void {
  monitors.get(number)?.failed(code);
}

/** What is wrong is not passed over: somebody would look for the monitor there in vain. */
function usualPort(): number {
  const named = process.env.CURIOMONITOR_PORT;
  if (named === undefined || named === '') return MONITOR_PORT;
  const port = /^\d{1,5}$/.test(named) ? Number(named) : Number.NaN;
  if (port <= 65535) return port;
  throw new TypeError(`CURIOMONITOR_PORT is a port from 0 to 65535, not '${named}'.`);
}

/** A token that nobody could say keeps everybody out, and an empty one nobody. */
function checked(token: string | null): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is a line
  if (token === null || (typeof token === 'string' && /^[^\0-\x1f]{1,256}$/.test(token))) return token;
  throw new TypeError(`A monitor's token is a line of at most 256 characters, not ${describe(token)}.`);
}

const newToken = (): string => process.getBuiltinModule('node:crypto').randomBytes(16).toString('hex');

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
