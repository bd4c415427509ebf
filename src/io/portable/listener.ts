/*
 * A listening server of Node's, as a line of clients to accept. Node accepts by itself; a client
 * that nobody has asked for yet is not read from.
 */

import type { AddressInfo, Server, Socket } from 'node:net';
import { Deque } from '../../base/deque.ts';

export class Listener {
  readonly #server: Server;
  readonly #onClient: () => void;
  readonly #event: string;
  readonly #line = new Deque<Socket>();
  #error: Error | null = null;
  /** Settles when the server listens, or cannot. */
  readonly settled: Promise<void>;

  /** @param event what a server calls a client: a TLS server has another name for it */
  constructor(server: Server, onClient: () => void, event = 'connection') {
    this.#server = server;
    this.#onClient = onClient;
    this.#event = event;
    server.on(event, this.#enter);
    this.settled = new Promise((resolve, reject) => {
      if (server.listening) resolve();
      else server.once('listening', resolve);
      server.on('error', (error) => {
        reject(error);
        this.#error ??= error;
        onClient();
      });
    });
    this.settled.catch(
      // swallows: nothing; the error is kept, and thrown at whoever accepts or waits for `ready`.
      () => {},
    );
    server.unref();
  }

  readonly #enter = (socket: Socket): void => {
    // Until it is accepted nobody else listens, and an error that nobody hears ends the process.
    // Once it is, whoever reads or writes finds it destroyed.
    socket.on('error', () => {});
    socket.unref();
    // Node remembers the address once it was asked; of a client that has left in the meantime nobody would know it.
    void socket.remoteAddress;
    this.#line.push(socket);
    this.#onClient();
  };

  get listening(): boolean {
    return this.#server.listening;
  }

  get address(): AddressInfo | string | null {
    return this.#server.listening ? this.#server.address() : null;
  }

  get hasClients(): boolean {
    return this.#line.length > 0 || this.#error !== null;
  }

  accept(): Socket | null {
    const socket = this.#line.shift();
    if (socket !== undefined) return socket;
    if (this.#error !== null) throw this.#error;
    return null;
  }

  leave(): void {
    this.#server.off(this.#event, this.#enter);
    if (this.#server.listening) this.#closeServer(this.#server.address());
    else if (this.#error === null) this.#server.close();
    for (let socket = this.#line.shift(); socket !== undefined; socket = this.#line.shift()) socket.destroy();
  }

  // libuv removes the path of a Unix socket together with the server. It is not ours to remove: another server
  // may already be about to serve there. So it is looked for in vain.
  #closeServer(address: AddressInfo | string | null): void {
    if (typeof address !== 'string' || address.startsWith('\0') || process.platform === 'win32') {
      this.#server.close();
      return;
    }
    const { renameSync } = process.getBuiltinModule('node:fs');
    const aside = `${address}.closing-${process.pid}`;
    try {
      renameSync(address, aside);
    } catch {
      // swallows: nothing waits here; the path is gone already.
      this.#server.close();
      return;
    }
    this.#server.close();
    renameSync(aside, address);
  }
}
