/*
 * The terminal of `curio top`: it is taken over, drawn on, and given back as it was. It must not know what is drawn.
 */

import { emitKeypressEvents } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import { styleText } from 'node:util';
import type { Paint, Size } from './frame.ts';

// What terminals understand since the VT100: another screen without a cursor, home, clear to the end of line and screen.
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const TO_END_OF_LINE = '\x1b[K';
const TO_END = '\x1b[J';

export interface ScreenEvents {
  /** A key, as `node:readline` calls it. */
  key(name: string): void;
  resized(): void;
}

export class Screen {
  readonly #input: ReadStream | null;
  readonly #output: WriteStream;
  readonly #events: ScreenEvents;
  readonly paint: Paint;
  #open = false;

  /** @param input null if nobody types */
  constructor(input: ReadStream | null, output: WriteStream, events: ScreenEvents) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
    const colours = output.hasColors();
    // Inverse is no colour: without it nobody could see which line is chosen.
    this.paint = (style, text) =>
      colours || style === 'inverse' ? styleText(style, text, { validateStream: false }) : text;
  }

  get size(): Size {
    const { columns, rows } = this.#output;
    return { columns: columns || 80, rows: rows || 24 };
  }

  enter(): void {
    if (this.#open) return;
    this.#open = true;
    this.#output.write(ENTER);
    this.#output.on('resize', this.#resized);
    process.on('SIGCONT', this.#continued);
    if (this.#input === null) return;
    emitKeypressEvents(this.#input);
    this.#input.setRawMode(true).on('keypress', this.#pressed).resume();
  }

  leave(): void {
    if (!this.#open) return;
    this.#open = false;
    process.off('SIGCONT', this.#continued);
    this.#output.off('resize', this.#resized);
    this.#output.write(LEAVE);
    if (this.#input !== null) this.#input.setRawMode(false).off('keypress', this.#pressed).pause();
  }

  draw(lines: readonly string[]): void {
    if (this.#open)
      this.#output.write(HOME + lines.map((line) => line + TO_END_OF_LINE).join('\r\n') + TO_END);
  }

  readonly #resized = (): void => this.#events.resized();

  readonly #pressed = (_: unknown, { name, ctrl }: { name?: string; ctrl?: boolean }): void => {
    if (ctrl && name === 'c') process.kill(process.pid, 'SIGINT');
    else if (ctrl && name === 'z') this.#suspend();
    else if (!ctrl && name !== undefined) this.#events.key(name);
  };

  #suspend(): void {
    this.leave();
    process.once('SIGCONT', () => {
      this.enter();
      this.#events.resized();
    });
    process.kill(process.pid, 'SIGTSTP');
  }

  /** After a stop that did not come from here the terminal is no longer ours. */
  readonly #continued = (): void => {
    this.leave();
    this.enter();
    this.#events.resized();
  };
}
