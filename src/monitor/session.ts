/*
 * One client of the monitor: lines in, answers out, one after the other. A client that stalls, floods, or talks something else
 * loses its connection, and nobody else notices.
 *
 * Who types gets text and a prompt. A program sends JSON instead, a line each: `{"command":"ps"}`; each answer is one line that begins
 * with `{`, and what comes before the first of them is to be skipped.
 */

import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Commands, Result } from './commands.ts';

const PROMPT = 'curio > ';
/** Bytes in a line. */
const LINE = 1024;
/** Lines that may wait for their turn. */
const BACKLOG = 64;
/** Milliseconds in which a client must take its answer. */
const STALLED = 30_000;
/** Milliseconds in which a client must say the token: who does not know it must not keep those out who do. */
const ADMISSION = 60_000;

export class Session {
  readonly #socket: Socket;
  readonly #commands: Commands;
  readonly #token: string | null;
  #rest = '';
  readonly #lines: string[] = [];
  #working = false;
  #admitted: boolean;
  #patience: NodeJS.Timeout | undefined;
  #json = false;

  /** @param token what the client must say first; null if nothing */
  constructor(socket: Socket, commands: Commands, token: string | null) {
    this.#socket = socket;
    this.#commands = commands;
    this.#token = token;
    this.#admitted = token === null;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => clearTimeout(this.#patience));
    void this.#greet();
  }

  async #greet(): Promise<void> {
    this.#working = true;
    if (this.#admitted) await this.#banner();
    else {
      this.#patience = setTimeout(() => this.#refuse('That took too long.'), ADMISSION);
      await this.#write('Token: ');
    }
    this.#working = false;
    void this.#work();
  }

  async #banner(): Promise<void> {
    const count = await this.#commands.count();
    const running =
      count === null ? 'the kernel does not answer' : `${count} ${count === 1 ? 'task' : 'tasks'} running`;
    await this.#write(`\nCurio Monitor: ${running}\nType help for commands\n${PROMPT}`);
  }

  #read(text: string): void {
    this.#rest += text;
    for (let end = this.#rest.indexOf('\n'); end >= 0; end = this.#rest.indexOf('\n')) {
      const line = this.#rest.slice(0, end).replace(/\r$/, '');
      this.#rest = this.#rest.slice(end + 1);
      if (line.length > LINE) return this.#refuse('That line is too long.');
      if (isForeign(line)) return this.#refuse('This is no web server.');
      this.#lines.push(line);
    }
    if (this.#rest.length > LINE) return this.#refuse('That line is too long.');
    // Nothing more is read until these are done.
    if (this.#lines.length > BACKLOG) this.#socket.pause();
    void this.#work();
  }

  #refuse(reason: string): void {
    this.#lines.length = 0;
    this.#rest = '';
    this.#socket.removeAllListeners('data');
    this.#socket.end(`${reason}\n`);
    this.#socket.destroySoon();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      if (this.#socket.destroyed || !(await this.#handle(line))) break;
      if (this.#socket.isPaused() && this.#lines.length === 0) this.#socket.resume();
    }
    this.#working = false;
  }

  /** False if the session is over. */
  async #handle(line: string): Promise<boolean> {
    if (!this.#admitted) return this.#admit(line);
    if (line.startsWith('{')) return this.#answerProgram(line);
    const result = await this.#commands.run(line);
    if (result.end) return this.#end();
    await this.#write(`${result.text}${result.text === '' ? '' : '\n'}${PROMPT}`);
    return true;
  }

  async #admit(line: string): Promise<boolean> {
    if (!same(line, this.#token as string)) {
      this.#refuse('That is not the token.');
      return false;
    }
    clearTimeout(this.#patience);
    this.#admitted = true;
    await this.#banner();
    return true;
  }

  async #answerProgram(line: string): Promise<boolean> {
    const result = await this.#runRequest(line);
    // What was written before did not end with its line.
    await this.#write(
      `${this.#json ? '' : '\n'}${JSON.stringify({ text: result.text, data: result.data })}\n`,
    );
    this.#json = true;
    return result.end ? this.#end() : true;
  }

  async #runRequest(line: string): Promise<Result> {
    let command: unknown;
    try {
      command = (JSON.parse(line) as { command?: unknown }).command;
    } catch {
      // swallows: told below.
    }
    if (typeof command === 'string' && command.length <= LINE) return this.#commands.run(command);
    const text = 'A request is a line such as {"command":"ps"}.';
    return { text, data: { error: text } };
  }

  #end(): false {
    this.#socket.end();
    this.#socket.destroySoon();
    return false;
  }

  /** Writes, and waits until the client has taken it: nobody makes this thread keep answers by the megabyte. */
  async #write(text: string): Promise<void> {
    const { destroyed, writableEnded } = this.#socket;
    if (destroyed || writableEnded || this.#socket.write(text, 'utf8')) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => this.#socket.destroy(), STALLED);
      const done = () => {
        clearTimeout(late);
        this.#socket.off('drain', done).off('close', done);
        resolve();
      };
      this.#socket.on('drain', done).on('close', done);
    });
  }
}

/**
 * True for what a browser says. A web page can make its reader's talk to this port, in a method of any name, or in TLS with a session
 * ticket of the page's making: the lines that follow must not be taken for commands.
 */
function isForeign(line: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what no keyboard sends, and TLS begins with
  return / HTTP\/\d/.test(line) || /[\u0000-\u0007\u000e-\u001a\u001c-\u001f]/.test(line);
}

/** @param given as it came, a character a byte */
function same(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given, 'latin1'), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
