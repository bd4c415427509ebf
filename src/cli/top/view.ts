/*
 * What `curio top` shows and how keys change it. It must not know where the picture goes, nor how one asks the program that is looked at.
 */

import { plain, type TreeLine } from '../../monitor/table.ts';
import { listRows, type Paint, type Size, screenOf, type View } from './frame.ts';
import type { Order, Seen } from './seen.ts';

/** What a key asks for: a command of the monitor's, and whether its answer is the stack to show. */
export type Wish = { do: 'quit' } | { do: 'ask'; command: string };

const OTHER: Record<Order, Order> = { tree: 'cpu', cpu: 'tree' };

export class TopView {
  #seen: Seen | null = null;
  #lines: TreeLine[] = [];
  /** The command that awaits a yes. */
  #asked = '';
  #size: Size;
  readonly #view: View;

  constructor(whom: string, size: Size) {
    this.#size = size;
    this.#view = {
      whom,
      order: 'tree',
      chosen: null,
      first: 0,
      stack: null,
      question: null,
      said: '',
      lost: null,
    };
  }

  /** There is something new. */
  take(seen: Seen): void {
    const place = this.#place();
    this.#seen = seen;
    this.#arrange();
    // The one that stands there now, if the chosen one has ended.
    if (this.#place() < 0) this.#choose(Math.max(place, 0));
    this.#scroll();
  }

  /** Nothing new can be had. */
  lose(why: string): void {
    this.#view.lost = plain(why);
  }

  resize(size: Size): void {
    this.#size = size;
    this.#scroll();
  }

  /** The command whose answer is to be shown as the stack; null if none is shown. */
  get stackCommand(): string | null {
    const { stack, chosen } = this.#view;
    return stack === null || chosen === null ? null : `where ${chosen}`;
  }

  /** A command has been answered. What is said before its last line stands above the list as well. */
  answer(command: string, text: string): void {
    if (command === this.stackCommand) this.#view.stack = text;
    else if (!command.startsWith('where')) this.#view.said = plain(text.split('\n').at(-1) ?? '');
    this.#scroll();
  }

  draw(paint: Paint): string[] {
    return this.#seen === null
      ? [`Looking at ${this.#view.whom} …`, ...(this.#view.lost === null ? [] : [this.#view.lost])]
      : screenOf(this.#seen, this.#lines, this.#view, this.#size, paint);
  }

  /** @param name as `node:readline` calls it */
  key(name: string): Wish | null {
    const view = this.#view;
    if (view.question !== null) {
      view.question = null;
      return name === 'y' ? { do: 'ask', command: this.#asked } : null;
    }
    view.said = '';
    const page = this.#seen === null ? 1 : listRows(this.#seen, view, this.#size);
    switch (name) {
      case 'q':
        return { do: 'quit' };
      case 'escape':
        view.stack = null;
        break;
      case 'return':
        if (view.stack !== null) view.stack = null;
        else if (view.chosen !== null) {
          view.stack = '…';
          return { do: 'ask', command: `where ${view.chosen}` };
        }
        break;
      case 'c':
        this.#confirm('cancel', 'Cancel');
        break;
      case 'k':
        this.#confirm('kill', 'End by force');
        break;
      case 'o':
        view.order = OTHER[view.order];
        this.#arrange();
        break;
      case 'up':
        this.#move(-1, 1);
        break;
      case 'down':
        this.#move(1, 1);
        break;
      case 'pageup':
        this.#move(-1, page);
        break;
      case 'pagedown':
        this.#move(1, page);
        break;
      case 'home':
        this.#choose(0);
        break;
      case 'end':
        this.#choose(this.#lines.length - 1);
        break;
    }
    this.#scroll();
    return view.stack !== null && this.stackCommand !== null
      ? { do: 'ask', command: this.stackCommand }
      : null;
  }

  #confirm(command: string, verb: string): void {
    const task = this.#seen?.task(this.#view.chosen ?? 0);
    if (task === undefined) return;
    this.#asked = `${command} ${task.id}`;
    this.#view.question = `${verb} task ${task.id} '${plain(task.name)}'? y/n`;
  }

  #arrange(): void {
    this.#lines = this.#seen?.lines(this.#view.order) ?? [];
  }

  /** Where the chosen task stands; -1 if it does not. */
  #place(): number {
    return this.#lines.findIndex(({ task }) => task !== null && task.id === this.#view.chosen);
  }

  #move(direction: 1 | -1, steps: number): void {
    this.#choose(this.#place() + direction * steps, direction);
  }

  /** Chooses the task at a line, or the next one: headings are not to be chosen. */
  #choose(wanted: number, direction: 1 | -1 = 1): void {
    const last = this.#lines.length - 1;
    const at = Math.min(Math.max(wanted, 0), last);
    for (const way of [direction, -direction]) {
      for (let n = at; n >= 0 && n <= last; n += way) {
        const task = this.#lines[n]?.task ?? null;
        if (task === null) continue;
        this.#view.chosen = task.id;
        return;
      }
    }
    this.#view.chosen = null;
    this.#view.stack = null;
  }

  /** Keeps the chosen task on the screen. */
  #scroll(): void {
    const view = this.#view;
    if (this.#seen === null) return;
    const room = listRows(this.#seen, view, this.#size);
    const place = this.#place();
    if (place >= 0) view.first = Math.min(Math.max(view.first, place - room + 1), place);
    view.first = Math.max(0, Math.min(view.first, this.#lines.length - room));
  }
}
