/*
 * The monitor's server, a guest of the watching thread: so it answers while the kernels' thread is stuck.
 */

import { createServer, type Socket } from 'node:net';
import type { Guest, WatchThread } from '../stall/guest.ts';
import { Commands } from './commands.ts';
import { Session } from './session.ts';

export interface ServerData {
  host: string;
  port: number;
  /** What clients must say first; null if nothing. */
  token: string | null;
  /** Which monitor this is, for the report that it listens or cannot. */
  monitor: number;
}

/** Clients at one time. */
const CLIENTS = 32;

export function open(thread: WatchThread, data: unknown): Guest {
  const { host, port, token, monitor } = data as ServerData;
  const commands = new Commands(thread);
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    if (clients.size >= CLIENTS) {
      socket.end('The monitor has too many clients.\n');
      socket.destroySoon();
      return;
    }
    clients.add(socket);
    socket.on('close', () => clients.delete(socket));
    new Session(socket, commands, token);
  });
  const listening = new Promise<void>((resolve) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      void thread.tell('monitor failed', monitor, error.code ?? error.message);
      resolve();
    });
    server.listen(port, host, () => {
      void thread.tell('monitor listens', monitor, server.address());
      resolve();
    });
  });
  return {
    async close() {
      await listening;
      for (const socket of clients) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
