/*
 * As much of a WebSocket client as it takes to talk to Node's inspector on the loopback: text messages, both ways. Node 20 has no client
 * of its own, and a package would be one more for everybody who installs Curio.
 */

import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { CurioError } from '../../errors.ts';

const CONTINUATION = 0;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class WebSocketClient {
  readonly #socket: Duplex;
  #unread: Buffer = Buffer.alloc(0);
  #message: Buffer[] = [];
  onMessage: (text: string) => void = () => {};
  onClose: () => void = () => {};

  private constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.onClose());
  }

  /** @throws CurioError or what the system says if nobody there talks like this */
  static connect(port: number, path: string): Promise<WebSocketClient> {
    return new Promise((resolve, reject) => {
      const asked = request({
        host: '127.0.0.1',
        port,
        path,
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
          'Sec-WebSocket-Version': '13',
        },
      });
      asked.once('error', reject);
      asked.once('response', ({ statusCode }) => {
        asked.destroy();
        reject(new CurioError(`The inspector on port ${port} refuses to talk (${statusCode}).`));
      });
      asked.once('upgrade', (_, socket: Duplex, head: Buffer) => {
        const client = new WebSocketClient(socket);
        socket.unshift(head);
        resolve(client);
      });
      asked.end();
    });
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text));
  }

  /** Ends the conversation. What was sent before still arrives. */
  close(): void {
    this.#write(CLOSE, Buffer.alloc(0));
    this.#socket.end();
  }

  #write(kind: number, data: Buffer): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    const mask = randomBytes(4);
    const head = Buffer.alloc(data.length < 126 ? 2 : data.length < 65_536 ? 4 : 10);
    head[0] = 0x80 | kind;
    head[1] = 0x80 | (head.length === 2 ? data.length : head.length === 4 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(data.length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(data.length), 2);
    const masked = data.map((byte, i) => byte ^ (mask[i % 4] as number));
    this.#socket.write(Buffer.concat([head, mask, masked]));
  }

  #read(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    for (let size = frameSize(this.#unread); size !== null && size.end <= this.#unread.length; ) {
      this.#frame(this.#unread[0] as number, this.#unread.subarray(size.start, size.end));
      this.#unread = this.#unread.subarray(size.end);
      size = frameSize(this.#unread);
    }
  }

  #frame(first: number, data: Buffer): void {
    const kind = first & 0x0f;
    if (kind === CLOSE) this.#socket.destroy();
    else if (kind === PING) this.#write(PONG, data);
    else if (kind === TEXT || kind === CONTINUATION) {
      this.#message.push(data);
      if ((first & 0x80) === 0) return;
      const text = Buffer.concat(this.#message).toString();
      this.#message = [];
      this.onMessage(text);
    }
  }
}

/** Where the data of the first frame begins and ends; null if that is not known yet. A server masks nothing. */
function frameSize(bytes: Buffer): { start: number; end: number } | null {
  if (bytes.length < 2) return null;
  const short = (bytes[1] as number) & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return null;
  const length = start === 2 ? short : start === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return { start, end: start + length };
}
