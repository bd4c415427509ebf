/*
 * Descriptions of tasks as text for a terminal: the table of `ps`, the tree, stacks. Names are the user's: whatever could move
 * a terminal's cursor is taken out of them.
 */

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Frame } from '../base/stack.ts';
import type { Place } from './answers.ts';
import type { Snapshot, TaskSnapshot } from './snapshot.ts';

const WIDTHS = [6, 12, 10, 7] as const;
const NAME = 50;
/** Characters of branches before a line of the tree. */
const DEEP = 120;

/** Text that does nothing but show. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must go
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
}

function row(cells: readonly string[], name: string): string {
  return `${cells.map((cell, i) => cell.padEnd(WIDTHS[i] as number)).join(' ')} ${name}`.trimEnd();
}

/** Seconds, cut to seven characters. */
function seconds(value: number | null): string {
  return value === null ? 'None' : value.toFixed(6).slice(0, 7);
}

function cells(task: TaskSnapshot): string[] {
  return [String(task.id), plain(task.state), String(task.cycles), seconds(task.timeout)];
}

/** One line a task, by id. */
export function taskTable(tasks: readonly TaskSnapshot[]): string {
  const sorted = [...tasks].sort((a, b) => a.id - b.id);
  return [
    row(['Task', 'State', 'Cycles', 'Timeout'], 'Task'),
    row(
      WIDTHS.map((width) => '-'.repeat(width)),
      '-'.repeat(NAME),
    ),
    ...sorted.map((task) => row(cells(task), plain(task.name))),
  ].join('\n');
}

/** One line of the tree of tasks. */
export interface TreeLine {
  /** What leads to it from the line of its parent, such as `'│  └─ '`. */
  branch: string;
  /** Null for the heading of a group, which is called `title`. */
  task: TaskSnapshot | null;
  title: string;
}

/** Tasks under those that spawned them, and members under their group, from top to bottom. */
export function treeLines(tasks: readonly TaskSnapshot[]): TreeLine[] {
  const known = new Set(tasks.map(({ id }) => id));
  const children = new Map<number | null, TaskSnapshot[]>();
  for (const task of tasks) {
    const parent = task.parentId !== null && known.has(task.parentId) ? task.parentId : null;
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [task]);
    else list.push(task);
  }
  const lines: TreeLine[] = [];
  // Without recursion: a chain of tasks may be as long as there are tasks. Deep below, branches stand still.
  const open: (Entry & { indent: string; last: boolean })[] = [];
  const push = (entries: Entry[], indent: string) => {
    for (let i = entries.length - 1; i >= 0; i--)
      open.push({ ...(entries[i] as Entry), indent, last: i === entries.length - 1 });
  };
  push(grouped(children.get(null) ?? []), '');
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { indent, last, title, task } = entry;
    lines.push({ branch: `${indent}${last ? '└─ ' : '├─ '}`, task, title });
    const below = indent.length >= DEEP ? indent : indent + (last ? '   ' : '│  ');
    push(task === null ? entry.members.map(single) : grouped(children.get(task.id) ?? []), below);
  }
  return lines;
}

/** The tree as text. */
export function taskTree({ tasks }: Snapshot): string {
  return treeLines(tasks)
    .map(({ branch, title }) => branch + title)
    .join('\n');
}

interface Entry {
  title: string;
  task: TaskSnapshot | null;
  members: TaskSnapshot[];
}

function single(task: TaskSnapshot): Entry {
  const waiting = task.waitingOn === null ? '' : ` on ${plain(task.waitingOn)}`;
  return { title: `${task.id} ${plain(task.name)} ${plain(task.state)}${waiting}`, task, members: [] };
}

function grouped(tasks: TaskSnapshot[]): Entry[] {
  const entries: Entry[] = [];
  const groups = new Map<number, Entry>();
  for (const task of tasks) {
    if (task.group === null) {
      entries.push(single(task));
      continue;
    }
    let group = groups.get(task.group);
    if (group === undefined) {
      group = { title: '', task: null, members: [] };
      groups.set(task.group, group);
      entries.push(group);
    }
    group.members.push(task);
    const count = group.members.length;
    group.title = `TaskGroup (${count} ${count === 1 ? 'task' : 'tasks'})`;
  }
  return entries;
}

/** A task, the task that spawned it, and so on up. */
export function ancestors({ tasks }: Snapshot, id: number): TaskSnapshot[] {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const chain: TaskSnapshot[] = [];
  for (
    let task = byId.get(id);
    task !== undefined;
    task = task.parentId === null ? undefined : byId.get(task.parentId)
  )
    chain.push(task);
  return chain;
}

/** A stack, most recent call last, with the lines themselves where they can be read. */
export function stackText(frames: readonly Frame[]): string {
  return frames
    .map(
      (frame) =>
        `  File "${plain(shown(frame.file))}", line ${frame.line}, in ${plain(frame.fn)}${source(frame)}`,
    )
    .join('\n');
}

function shown(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') ? file : path;
}

function source({ file, line }: Frame): string {
  try {
    const text = readFileSync(file, 'utf8').split('\n')[line - 1]?.trim();
    return text === undefined || text === '' ? '' : `\n    ${plain(text)}`;
  } catch {
    // swallows: the source need not be there.
    return '';
  }
}

/** The answer to `where`. */
export function placeText({ id, name, state, frames }: Place): string {
  const title = `Stack for Task(id=${id}, name='${plain(name)}', state='${plain(state)}')`;
  if (frames === null)
    return `${title}: not blocked in an operation, so it has no stack that could be shown.`;
  return frames.length === 0
    ? `${title}: no line of your own.`
    : `${title} (most recent call last):\n${stackText(frames)}`;
}
