// Loads the addon under test, and small things its tests share: making listeners and pairs, failing on errors,
// and a place where events of the environment's one epoll set arrive. It must know nothing of Curio's sources.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Posix } from '../../native/posix.js';

/** The sanitizer's run names an addon of its own here. */
export const addonPath =
  process.env.CURIO_TEST_ADDON ??
  fileURLToPath(
    new URL(`../../native/build/curio-posix-${process.platform}-${process.arch}.node`, import.meta.url),
  );

/** False where the addon could not be built (no Linux, no compiler): its tests are skipped there. */
export const available = existsSync(addonPath);

export const posix: Posix = available ? createRequire(import.meta.url)(addonPath) : ({} as Posix);

export const c: Posix['constants'] = available ? posix.constants : {};

/** The name of a negative result. */
export function failure(result: unknown): string {
  if (typeof result !== 'number' || result >= 0) throw new Error(`no failure: ${String(result)}`);
  return posix.errorNames[-result];
}

/** What a call returned, unless that is an error. */
export function ok<T>(result: T): Exclude<T, number> | (T & number) {
  if (typeof result === 'number' && result < 0) throw new Error(`failed with ${failure(result)}`);
  return result as Exclude<T, number> | (T & number);
}

export const bytes = (text: string): Buffer => Buffer.from(text);

export function send(fd: number, text: string, flags = 0): number {
  const data = bytes(text);
  return posix.send(fd, data, 0, data.length, flags);
}

export function recv(fd: number, size = 65536, flags = 0): string {
  const area = Buffer.alloc(size);
  return area.toString('latin1', 0, ok(posix.recv(fd, area, 0, size, flags)));
}

export function streamPair(): [number, number] {
  return ok(posix.socketpair(c.AF_UNIX, c.SOCK_STREAM)) as [number, number];
}

export function closeAll(...fds: number[]): void {
  for (const fd of fds) ok(posix.close(fd));
}

/** A listening socket on the loopback, and its port. */
export function listener(host = '127.0.0.1', backlog = 16): [fd: number, port: number] {
  const family = host.includes(':') ? c.AF_INET6 : c.AF_INET;
  const fd = ok(posix.socket(family, c.SOCK_STREAM));
  ok(posix.bind(fd, family, host, 0));
  ok(posix.listen(fd, backlog));
  return [fd, (posix.getsockname(fd) as [string, number])[1]];
}

/** A client connected (or refused) at once, as it is on the loopback. */
export function connected(port: number, host = '127.0.0.1'): number {
  const family = host.includes(':') ? c.AF_INET6 : c.AF_INET;
  const fd = ok(posix.socket(family, c.SOCK_STREAM));
  posix.connect(fd, family, host, port);
  ok(posix.poll(fd, c.POLLOUT, 5000));
  ok(posix.socketError(fd));
  return fd;
}

/** Accepts the connection that is certainly coming. */
export function accepted(fd: number): number {
  ok(posix.poll(fd, c.POLLIN, 5000));
  return ok(posix.accept(fd));
}

export type Seen = { token: number; mask: number };

/** All events since the last `take`, batch after batch; one place for the environment. */
export class Events {
  readonly batches: Seen[][] = [];
  #wake: (() => void) | null = null;
  #sentinel = 1_000_000;

  constructor(pairs = 64) {
    const area = new Int32Array(pairs * 2);
    const deliver = (count: number): void => {
      const batch: Seen[] = [];
      for (let i = 0; i < count; i++) batch.push({ token: area[2 * i], mask: area[2 * i + 1] });
      this.batches.push(batch);
      this.#wake?.();
    };
    ok(posix.onEvents(deliver, area));
  }

  /** The masks of the events that came so far for `token`, forgetting them. */
  take(token: number): number[] {
    const found: number[] = [];
    for (const batch of this.batches) {
      for (let i = 0; i < batch.length; ) {
        if (batch[i].token === token) found.push(...batch.splice(i, 1).map((event) => event.mask));
        else i++;
      }
    }
    return found;
  }

  /** Resolves with the masks for `token` once there is one. */
  async next(token: number): Promise<number[]> {
    for (;;) {
      const found = this.take(token);
      if (found.length > 0) return found;
      posix.ref();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      posix.unref();
    }
  }

  /**
   * Resolves when everything that was ready by now has been delivered: a descriptor made ready here
   * stands behind all others in the epoll set's list.
   */
  async settled(): Promise<void> {
    const [a, b] = streamPair();
    const token = this.#sentinel++;
    ok(posix.watch(a, token));
    await this.next(token);
    closeAll(a, b);
  }
}
