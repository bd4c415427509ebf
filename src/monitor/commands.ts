/*
 * The commands of the monitor: what a line means, and what is done about it. Lives in the monitor's thread, and asks the kernels'
 * thread through `WatchThread`. It must not know sockets.
 */

import { constants } from 'node:os';
import type { Stall, WatchThread } from '../stall/guest.ts';
import type { Caught, Outcome, Place } from './answers.ts';
import { type PackedSnapshot, type Snapshot, unpackSnapshot } from './snapshot.ts';
import { ancestors, placeText, plain, stackText, taskTable, taskTree } from './table.ts';
import { topText } from './top.ts';
import type { Waiters } from './waiters.ts';

/** What a command gives: for people, and for programs. */
export interface Result {
  text: string;
  data: unknown;
  /** The session is over. */
  end?: boolean;
}

interface Command {
  name: string;
  /** Its argument, if it takes one. */
  argument?: 'task' | 'signal';
  help: string;
}

// In the order in which first letters are looked for: the original's commands come first.
const COMMANDS: readonly Command[] = [
  { name: 'ps', help: 'Show all tasks' },
  { name: 'where', argument: 'task', help: 'Show where a task is blocked, or what it is doing' },
  { name: 'cancel', argument: 'task', help: 'Cancel a task' },
  { name: 'signal', argument: 'signal', help: 'Send a signal to the process' },
  { name: 'exit', help: 'Leave the monitor' },
  { name: 'quit', help: 'Leave the monitor' },
  { name: 'help', help: 'Show this' },
  { name: 'parents', argument: 'task', help: 'Show a task, the task that spawned it, and so on up' },
  { name: 'tree', help: 'Show tasks under those that spawned them' },
  { name: 'kill', argument: 'task', help: 'End a task by force, also one that never blocks' },
  { name: 'waiters', help: 'Show who waits for which lock, queue or task, and who holds it' },
  { name: 'top', help: 'Show which tasks use the CPU, over one second' },
];

/** Milliseconds that `top` looks. */
const SECOND = 1000;

/** A line that means nothing. */
export class BadCommand extends Error {}

export interface Parsed {
  name: string;
  task: number;
  signal: NodeJS.Signals;
}

/** Takes a line apart. Null for an empty one. @throws BadCommand */
export function parseLine(line: string): Parsed | null {
  const words = line.trim().split(/\s+/);
  const [word = '', argument, ...more] = words;
  if (word === '') return null;
  const command = /^[a-z]+$/i.test(word)
    ? COMMANDS.find(({ name }) => name.startsWith(word.toLowerCase()))
    : undefined;
  if (command === undefined)
    throw new BadCommand(`Unknown command '${plain(word.slice(0, 40))}'. Type help for commands.`);
  const usage = `${command.name}${command.argument === undefined ? '' : ` ${command.argument === 'task' ? 'N' : 'NAME'}`}`;
  if (more.length > 0 || (argument !== undefined) !== (command.argument !== undefined))
    throw new BadCommand(`Bad command. Usage: ${usage}`);
  return {
    name: command.name,
    task: command.argument === 'task' ? taskId(argument as string, usage) : 0,
    signal: command.argument === 'signal' ? signalName(argument as string) : 'SIGHUP',
  };
}

function taskId(text: string, usage: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (id === 0)
    throw new BadCommand(
      `Bad command: '${plain(text.slice(0, 40))}' is not the number of a task. Usage: ${usage}`,
    );
  return id;
}

function signalName(text: string): NodeJS.Signals {
  const upper = text.toUpperCase();
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  if (!Object.hasOwn(constants.signals, name))
    throw new BadCommand(`Unknown signal '${plain(text.slice(0, 40))}'. Write its name, such as SIGHUP.`);
  return name as NodeJS.Signals;
}

/** The commands, and the last word that the kernels' thread has said. One for all sessions. */
export class Commands {
  readonly #thread: WatchThread;
  #last: Snapshot | null = null;

  constructor(thread: WatchThread) {
    this.#thread = thread;
  }

  /** Does what a line says. Never fails: what goes wrong is the answer. */
  async run(line: string): Promise<Result> {
    try {
      const command = parseLine(line);
      return command === null ? { text: '', data: null } : await this.#do(command);
    } catch (error) {
      // swallows: there are no tasks in this thread; who typed the line is told.
      const text = (error as Error).message;
      return { text, data: { error: text } };
    }
  }

  #do({ name, task, signal }: Parsed): Promise<Result> | Result {
    switch (name) {
      case 'ps':
        return this.#show(({ tasks }) => taskTable(tasks));
      case 'tree':
        return this.#show(taskTree);
      case 'parents':
        return this.#parents(task);
      case 'where':
        return this.#where(task);
      case 'waiters':
        return this.#waiters();
      case 'top':
        return this.#top();
      case 'cancel':
        return this.#cancel(task);
      case 'kill':
        return this.#kill(task);
      case 'signal':
        process.kill(this.#thread.pid, signal);
        return said(`Sent ${signal}`);
      case 'help':
        return said(helpText());
      default:
        return { text: '', data: null, end: true };
    }
  }

  /** How many tasks there are; null if nobody can tell. */
  async count(): Promise<number | null> {
    return (await this.#snapshot()).snapshot?.tasks.length ?? null;
  }

  /** The tasks as they are; of a thread that is stuck as it can be seen from outside, or as they last were. */
  async #snapshot(): Promise<{ snapshot: Snapshot | null; note: string; stuck: Stall | null }> {
    const answered = await this.#thread.ask('snapshot');
    if ('value' in answered) {
      this.#last = unpackSnapshot(answered.value as PackedSnapshot);
      return { snapshot: this.#last, note: '', stuck: null };
    }
    const { stuck } = answered;
    const seen = await this.#thread.hold(async (held) => ({
      snapshot: unpackSnapshot((await held.ask('snapshot')) as PackedSnapshot),
      caught: (await held.ask('caught')) as Caught,
    }));
    if (seen === undefined) {
      const age =
        this.#last === null
          ? ''
          : ` What follows is ${(Date.now() / 1000 - this.#last.time).toFixed(1)} s old.`;
      return {
        snapshot: this.#last,
        note: `${stuckText(stuck, null)} It is in a call that is not JavaScript.${age}`,
        stuck,
      };
    }
    this.#last = seen.snapshot;
    return { snapshot: seen.snapshot, note: stuckText(stuck, seen.caught), stuck };
  }

  async #show(render: (snapshot: Snapshot) => string): Promise<Result> {
    const { snapshot, note, stuck } = await this.#snapshot();
    const text = snapshot === null ? '' : render(snapshot);
    return { text: [note, text].filter((it) => it !== '').join('\n'), data: { ...snapshot, stuck } };
  }

  async #parents(id: number): Promise<Result> {
    const { snapshot, note } = await this.#snapshot();
    const chain = snapshot === null ? [] : ancestors(snapshot, id);
    if (chain.length === 0) return said(noTask(id));
    const text = chain.map((task) => `${task.id} ${plain(task.name)} ${plain(task.state)}`).join('\n');
    return { text: note === '' ? text : `${note}\n${text}`, data: chain };
  }

  async #where(id: number): Promise<Result> {
    const answered = await this.#thread.ask('where', id);
    if ('value' in answered) return place(id, answered.value as Place | null);
    const found = await this.#thread.hold(async (held) => ({
      place: (await held.ask('where now', id)) as Place | null,
      caught: (await held.ask('caught')) as Caught,
    }));
    if (found === undefined)
      return said(`${stuckText(answered.stuck, null)} It is in a call that is not JavaScript.`);
    const note = stuckText(answered.stuck, found.caught);
    if (found.place !== null && found.place.frames === null && found.caught.task?.id !== id)
      return said(`${note}\nWhere task ${id} is blocked can be told when the kernel moves again.`);
    const { text, data } = place(id, found.place);
    return { text: `${note}\n${text}`, data };
  }

  async #waiters(): Promise<Result> {
    const answered = await this.#thread.ask('waiters');
    const found =
      'value' in answered
        ? (answered.value as Waiters)
        : await this.#thread.hold(async (held) => (await held.ask('waiters')) as Waiters);
    if (found === undefined) return said(stuckText((answered as { stuck: Stall }).stuck, null));
    return { text: found.text, data: found };
  }

  async #top(): Promise<Result> {
    const before = await this.#snapshot();
    const samples = await this.#thread.sample(SECOND);
    const after = await this.#snapshot();
    if (after.snapshot === null) return said(after.note);
    const text = topText(before.snapshot ?? after.snapshot, after.snapshot, samples);
    return {
      text: [after.note, text].filter((it) => it !== '').join('\n'),
      data: { ...after.snapshot, stuck: after.stuck, samples },
    };
  }

  async #cancel(id: number): Promise<Result> {
    const answered = await this.#thread.ask('cancel', id);
    if ('value' in answered) return said(outcome(answered.value as Outcome, id, `Cancelling task ${id}`));
    // A request is as good as a delivery: it waits for the task's next operation.
    const made = (await this.#thread.hold((held) => held.ask('cancel', id))) as Outcome | undefined;
    const note = stuckText(answered.stuck, null);
    if (made === undefined) return said(`${note} It cannot be told anything now.`);
    const hint = answered.stuck.task === id ? ` It does not block; kill ${id} ends it.` : '';
    return said(`${note}\n${outcome(made, id, `Cancelling task ${id}, as soon as it blocks.${hint}`)}`);
  }

  async #kill(id: number): Promise<Result> {
    const answered = await this.#thread.ask('kill', id);
    if ('value' in answered) return said(outcome(answered.value as Outcome, id, `Killed task ${id}`));
    const found = await this.#thread.hold(async (held) => {
      const condemned = (await held.ask('condemn', id)) as boolean;
      if (condemned) held.terminate();
      return { condemned, caught: condemned ? null : ((await held.ask('caught')) as Caught) };
    });
    if (found === undefined)
      return said(
        `${stuckText(answered.stuck, null)} It is in a call that is not JavaScript, and cannot be ended.`,
      );
    if (found.condemned) return said(`Killed task ${id}`);
    const note = stuckText(answered.stuck, found.caught);
    const other = found.caught?.task;
    return said(
      `${note}\nTask ${id} does not run at present. ${other == null ? '' : `kill ${other.id} ends the one that does.`}`.trimEnd(),
    );
  }
}

function said(text: string): Result {
  return { text, data: { text } };
}

function place(id: number, found: Place | null): Result {
  return found === null ? said(noTask(id)) : { text: placeText(found), data: found };
}

function noTask(id: number): string {
  return `No task ${id}`;
}

function outcome(result: Outcome, id: number, done: string): string {
  if (result === 'done') return done;
  if (result === 'asked before') return `Task ${id} has been cancelled before, and has not ended yet`;
  return result === 'ended' ? `Task ${id} has ended` : noTask(id);
}

function stuckText(stuck: Stall, caught: Caught | null): string {
  const time = `The kernel has not moved for ${stuck.seconds.toFixed(1)} s:`;
  const id = caught === null ? stuck.task : (caught.task?.id ?? 0);
  if (id === 0)
    return `${time} code outside any task is running.${caught === null ? '' : `\n${stackText(caught.frames)}`}`;
  const name = caught?.task === null || caught === null ? '' : ` '${plain(caught.task.name)}'`;
  return `${time} task ${id}${name} is running, and does not block.`;
}

function helpText(): string {
  const rows = COMMANDS.map(({ name, argument, help }) => {
    const usage = argument === undefined ? name : `${name} ${argument === 'task' ? 'N' : 'NAME'}`;
    return `  ${usage.padEnd(14)} ${help}`;
  });
  return `Commands, or their first letters:\n${rows.join('\n')}`;
}
