/*
 * The line to whoever answers the monitor's commands; to a monitor they go as JSON, one a line, and their answers come in the same
 * order. It must not know what they mean.
 */

import { connect, type Socket } from 'node:net';
import { ConnectionError } from '../errors.ts';

/** What a command gives. */
export interface Answer {
  text: string;
  data: unknown;
}

/** Whoever answers the monitor's commands. */
export interface Link {
  ask(command: string): Promise<Answer>;
  /** Takes leave; nothing of it is left behind when that settles. */
  close(): Promise<void>;
}

interface Question {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** Connects to a monitor. @throws ConnectionError if none listens there, or what listens ends at once */
export function connectToMonitor(host: string, port: number, token?: string): Promise<Link> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const refused = (error: Error) => {
      const advice = 'Start the program with run({ withMonitor: true }, …) or CURIOMONITOR=1.';
      reject(
        new ConnectionError(`No monitor answers at ${host}:${port} (${error.message}). ${advice}`, {
          cause: error,
        }),
      );
    };
    socket.once('error', refused);
    socket.once('connect', () => {
      socket.off('error', refused);
      if (token !== undefined) socket.write(`${token}\n`);
      resolve(new MonitorLink(socket));
    });
  });
}

class MonitorLink implements Link {
  readonly #socket: Socket;
  readonly #questions: Question[] = [];
  #pieces: string[] = [];
  /** What it said last that was no answer. */
  #said = '';
  #over: Error | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new ConnectionError(this.#farewell())));
  }

  ask(command: string): Promise<Answer> {
    if (this.#over !== null) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => {
      this.#questions.push({ resolve, reject });
      this.#socket.write(`${JSON.stringify({ command })}\n`);
    });
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  #farewell(): string {
    return this.#said.includes('That is not the token.')
      ? 'The monitor wants a token, which its program has logged: CURIOMONITOR_TOKEN=… in the environment.'
      : 'The monitor has closed the connection.';
  }

  #read(text: string): void {
    // An answer may be megabytes in many pieces: they are put together once.
    const lines = text.split('\n');
    this.#pieces.push(lines[0]!);
    for (const next of lines.slice(1)) {
      const line = this.#pieces.join('');
      this.#pieces = [next];
      if (line.startsWith('{')) this.#answer(line);
      else this.#said = line;
    }
  }

  #answer(line: string): void {
    const question = this.#questions.shift();
    if (question === undefined) return;
    try {
      question.resolve(JSON.parse(line) as Answer);
    } catch (error) {
      // swallows: nothing; whoever asked gets it.
      question.reject(new ConnectionError('What answers there is no monitor of Curio.', { cause: error }));
    }
  }

  #end(error: Error): void {
    this.#over ??= error;
    for (const question of this.#questions.splice(0)) question.reject(this.#over);
  }
}
