/*
 * The inspector of another process: started by a signal, talked to, and stopped again, so that nothing of it is left. It must not know
 * what Curio is.
 */

import { randomUUID } from 'node:crypto';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Talk, within } from '../../stall/hold.ts';
import { checkTarget, listeningPorts, NotAttachable } from './target.ts';
import { WebSocketClient } from './web-socket.ts';

/** Milliseconds in which Node must have started its inspector. It cannot while it is in a call that is not JavaScript. */
const START = 10_000;
/** And in which it must have stopped it again. */
const STOP = 5000;
const LOOK = 20;

/** Milliseconds between two signs of life, and after how many without one the process stops its inspector by itself. */
const SIGN = 5000;
const LEASH = 30_000;

// What is evaluated in the process. It keeps what it needs in a property of its global object, until the last who looks takes leave.
const PLACE = `globalThis[Symbol.for('curio.inspected')]`;
const ARRIVE = `void (${PLACE} ??= { looking: new Set(), seen: Date.now(), leash: setInterval(() => {
  if (Date.now() - ${PLACE}.seen < ${LEASH}) return;
  clearInterval(${PLACE}.leash);
  delete ${PLACE};
  process._debugEnd();
}, ${SIGN}).unref() })`;
const stay = (name: string) =>
  `void (${PLACE} && (${PLACE}.looking.add('${name}'), ${PLACE}.seen = Date.now()))`;
/** True if the inspector stays: others look, or nobody started it for this. */
const leave = (name: string) => `(() => {
  const place = ${PLACE};
  if (!place?.looking.delete('${name}') || place.looking.size > 0) return true;
  clearInterval(place.leash);
  delete ${PLACE};
  process._debugEnd();
  return false;
})()`;

interface Reply {
  id?: number;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { message: string };
}

interface Question {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export class Inspector implements Talk {
  readonly #pid: number;
  readonly #port: number;
  readonly #line: WebSocketClient;
  /** What the process knows this one by who looks into it. */
  readonly #name = randomUUID();
  readonly #questions = new Map<number, Question>();
  readonly #listeners: { event: string; hear: (params: unknown) => void }[] = [];
  #last = 0;
  #over = false;
  #holding: NodeJS.Timeout | undefined;

  private constructor(pid: number, port: number, ours: boolean, line: WebSocketClient) {
    this.#pid = pid;
    this.#port = port;
    this.#line = line;
    line.onMessage = (text) => this.#hear(JSON.parse(text) as Reply);
    line.onClose = () => this.#end();
    // Should this command be killed, the inspector is not to stay open for ever. One that others have started is to stay for this, too.
    if (ours) this.#tell(ARRIVE);
    this.#tell(stay(this.#name));
    this.#holding = setInterval(() => this.#tell(stay(this.#name)), SIGN).unref();
  }

  /** @throws NotAttachable */
  static async of(pid: number): Promise<Inspector> {
    checkTarget(pid);
    const { port, path, ours } = await start(pid);
    return new Inspector(pid, port, ours, await WebSocketClient.connect(port, path));
  }

  /** Why nothing can be asked any more; null as long as it can. */
  get over(): NotAttachable | null {
    return this.#over ? this.#gone() : null;
  }

  post(method: string, params: object = {}): Promise<unknown> {
    if (this.#over) return Promise.reject(this.#gone());
    return new Promise((resolve, reject) => {
      this.#questions.set(++this.#last, { resolve, reject });
      this.#line.send(JSON.stringify({ id: this.#last, method, params }));
    });
  }

  next(event: string): Promise<unknown> {
    return new Promise((hear) => this.#listeners.push({ event, hear }));
  }

  /** Ends one conversation; there may be others. */
  end(): void {
    this.#listeners.length = 0;
  }

  /** Takes leave. An inspector that was started for this, or for others who have left, is stopped. */
  async close(): Promise<void> {
    clearInterval(this.#holding);
    // It is for the inspector to hang up: Node crashes when both sides do at the same time.
    if (!this.#over && !(await this.#leaves())) await this.#stops();
    this.#line.close();
  }

  /** True if the inspector stays. There may be no answer when this ends it. */
  async #leaves(): Promise<boolean> {
    const asked = this.post('Runtime.evaluate', { expression: leave(this.#name), returnByValue: true });
    const stays = asked.then(
      (evaluated) => (evaluated as { result: { value: boolean } }).result.value,
      () => false,
    );
    return (await within(STOP, stays)) ?? false;
  }

  #tell(expression: string): void {
    this.post('Runtime.evaluate', { expression }).then(undefined, () => {});
  }

  async #stops(): Promise<void> {
    const deadline = performance.now() + STOP;
    while (performance.now() < deadline && (!this.#over || stillListens(this.#pid, this.#port)))
      await sleep(LOOK);
  }

  #hear({ id, method, params, result, error }: Reply): void {
    if (id === undefined) {
      for (const it of this.#listeners.filter(({ event }) => event === method)) {
        this.#listeners.splice(this.#listeners.indexOf(it), 1);
        it.hear(params);
      }
      return;
    }
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    if (error === undefined) question?.resolve(result);
    else question?.reject(new Error(error.message));
  }

  #end(): void {
    this.#over = true;
    for (const { reject } of this.#questions.values()) reject(this.#gone());
    this.#questions.clear();
  }

  #gone(): NotAttachable {
    return new NotAttachable(`Process ${this.#pid} has ended, or has closed its inspector.`);
  }
}

interface Address {
  port: number;
  path: string;
  ours: boolean;
}

async function start(pid: number): Promise<Address> {
  const before = listeningPorts(pid);
  signal(pid);
  const deadline = performance.now() + START;
  for (let looks = 0; performance.now() < deadline; looks++) {
    for (const port of listeningPorts(pid)) {
      // Of those it had before one may be an inspector, too; the program's own servers are not bothered without need.
      if (before.has(port) && looks < 10) continue;
      const path = await inspectorPath(port);
      if (path !== null) return { port, path, ours: !before.has(port) };
    }
    await sleep(LOOK);
  }
  throw new NotAttachable(
    `Process ${pid} has not started its inspector. Either it is in a call that is not JavaScript, or it handles SIGUSR1 itself, or ` +
      'it was started with an --inspect-port that another process has: its standard error tells.',
  );
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGUSR1');
  } catch (error) {
    // swallows: no task runs here; whoever attaches is told.
    throw new NotAttachable(
      `Process ${pid} cannot be signalled (${(error as NodeJS.ErrnoException).code}).`,
      {
        cause: error,
      },
    );
  }
}

/** Under which path the inspector on this port is talked to; null if it is no inspector. */
function inspectorPath(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, path: '/json/list', timeout: 1000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more;
        if (text.length > 65_536) asked.destroy();
      });
      response.on('close', () => resolve(pathIn(text)));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(null));
  });
}

function pathIn(text: string): string | null {
  try {
    const [first] = JSON.parse(text) as { type?: unknown; webSocketDebuggerUrl?: unknown }[];
    return first?.type === 'node' ? new URL(String(first.webSocketDebuggerUrl)).pathname : null;
  } catch {
    // swallows: some other server, which talks as it likes.
    return null;
  }
}

function stillListens(pid: number, port: number): boolean {
  try {
    return listeningPorts(pid).has(port);
  } catch (error) {
    // swallows: there are no tasks here, and a process that has ended listens no more.
    if (error instanceof NotAttachable) return false;
    throw error;
  }
}
