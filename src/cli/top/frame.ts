/*
 * One picture of `curio top`: what was seen, as lines of text. It must not know terminals, only how much room there is.
 */

import type { TaskSnapshot } from '../../monitor/snapshot.ts';
import { plain, type TreeLine } from '../../monitor/table.ts';
import type { Wait } from '../../traps.ts';
import { FAMILIES, type Family } from '../families.ts';
import type { Order, Seen } from './seen.ts';
import { sized } from './width.ts';

export type Style =
  | 'bold'
  | 'dim'
  | 'inverse'
  | 'red'
  | 'green'
  | 'yellow'
  | 'blue'
  | 'magenta'
  | 'cyan'
  | 'gray'
  | 'blueBright'
  | 'magentaBright'
  | 'yellowBright';

/** Gives text a colour, or not. */
export type Paint = (style: Style, text: string) => string;

/** What is shown, apart from what was seen. */
export interface View {
  /** Whom it shows, as the user wrote it. */
  whom: string;
  order: Order;
  /** The task that keys act upon. */
  chosen: number | null;
  /** The first line that is shown. */
  first: number;
  /** The stack of the chosen task, if it is to be shown. */
  stack: string | null;
  /** What a key waits to be answered. */
  question: string | null;
  /** What became of the last one. */
  said: string;
  /** Why there is nothing new. */
  lost: string | null;
}

export interface Size {
  columns: number;
  rows: number;
  /** Columns for names; half of what the numbers leave, unless told otherwise. */
  names?: number;
}

const COLOURS: Record<Family, Style> = {
  RUNNING: 'green',
  READY: 'blueBright',
  TIME_SLEEP: 'gray',
  TASK_JOIN: 'magenta',
  IO: 'cyan',
  LOCK: 'yellow',
  QUEUE: 'yellowBright',
  EVENT: 'magentaBright',
  PROMISE: 'blue',
  SIGNAL: 'blue',
};

const KEYS = '↑↓ select   Enter stack   c cancel   k kill   o order   q quit';
/** Columns of a line but for its name and what it waits for. */
const NUMBERS = 42;
/** And of a line that nobody's screen limits: the longest names, and what is waited for. */
const NAMES = 60;
const WAITS = 160;

function colour(paint: Paint, state: string, text: string): string {
  return paint(COLOURS[FAMILIES[state] ?? 'EVENT'], text);
}

/** How many lines of the list fit on a screen. */
export function listRows(seen: Seen, view: View, { rows }: Size): number {
  return Math.max(1, rows - head(seen, view).length - foot(view, rows).length - 2);
}

/** A screen full. */
export function screenOf(
  seen: Seen,
  lines: readonly TreeLine[],
  view: View,
  size: Size,
  paint: Paint,
): string[] {
  const room = listRows(seen, view, size);
  const shown = lines.slice(view.first, view.first + room);
  const below = foot(view, size.rows);
  const all = [
    ...top(seen, view, size, paint),
    ...shown.map((line) => row(seen, line, size, paint, line.task !== null && line.task.id === view.chosen)),
    ...new Array<string>(room - shown.length).fill(''),
    ...below.map((text) => sized(text, size.columns)),
    view.question === null
      ? paint('dim', sized(`${KEYS}${view.said === '' ? '' : `   ${view.said}`}`, size.columns))
      : paint('bold', sized(view.question, size.columns)),
  ];
  return all.slice(0, size.rows);
}

/** Everything at once, for who reads it later. */
export function textOf(seen: Seen, lines: readonly TreeLine[], view: View): string {
  const paint: Paint = (_, text) => text;
  const longest = lines.reduce((most, line) => Math.max(most, nameOf(line).length), 'Name'.length);
  const names = Math.min(NAMES, longest + 2);
  const size = { columns: NUMBERS + names + WAITS, rows: Number.POSITIVE_INFINITY, names };
  const all = [...top(seen, view, size, paint), ...lines.map((line) => row(seen, line, size, paint, false))];
  return all.map((line) => line.trimEnd()).join('\n');
}

function top(seen: Seen, view: View, size: Size, paint: Paint): string[] {
  const [title = '', ...alarms] = head(seen, view);
  return [
    paint('bold', sized(title, Math.min(title.length, size.columns))) +
      states(seen, size.columns - title.length, paint),
    ...alarms.map((text) => paint('red', sized(text, size.columns))),
    paint(
      'inverse',
      sized(columns('Task', 'CPU %', 'Turns/s', 'State', ' Name', 'Waits for', size), size.columns),
    ),
  ];
}

/** The title, and what is wrong. */
function head(seen: Seen, { whom, lost }: View): string[] {
  const busy = seen.busy();
  const count = `${seen.tasks.length} ${seen.tasks.length === 1 ? 'task' : 'tasks'}`;
  const of = whom.includes(':') && seen.pid !== 0 ? `${whom}, process ${seen.pid}` : whom;
  const title = `Curio  ${of}  ${count}${busy === null ? '' : `  CPU ${(100 * busy).toFixed(0)} %`}  `;
  const alarms: string[] = [];
  if (lost !== null) alarms.push(lost);
  const { stuck } = seen;
  if (stuck !== null) {
    const who =
      stuck.task === 0
        ? 'code outside any task is running'
        : `task ${called(seen, stuck.task)} is running, and does not block`;
    alarms.push(`The kernel has not moved for ${stuck.seconds.toFixed(1)} s: ${who}.`);
  }
  for (const circle of seen.circles) {
    const steps = circle.map((id) => `${called(seen, id)} → ${seen.wait(id)?.on ?? ''}`);
    alarms.push(`Deadlock: ${steps.join(' → ')} → ${called(seen, circle[0] as number)}`);
  }
  return [title, ...alarms.map(plain)];
}

function called(seen: Seen, id: number): string {
  const task = seen.task(id);
  return task === undefined ? String(id) : `${id} '${task.name}'`;
}

function states(seen: Seen, room: number, paint: Paint): string {
  let text = '';
  let taken = 0;
  for (const [state, count] of seen.states()) {
    const next = `${plain(state)} ${count}  `;
    taken += next.length;
    if (taken > room) break;
    text += colour(paint, state, next);
  }
  return text;
}

function columns(
  id: string,
  cpu: string,
  turns: string,
  state: string,
  name: string,
  waits: string,
  { columns, names: asked }: Size,
): string {
  const room = Math.max(0, columns - NUMBERS);
  const names = asked ?? Math.ceil(room / 2);
  const numbers = `${id.padStart(6)} ${cpu.padStart(6)} ${turns.padStart(9)}  ${sized(state, 14)} `;
  return `${numbers} ${sized(name, names)} ${sized(waits, room - names)}`;
}

/** What stands in the column of names. */
function nameOf({ branch, task, title }: TreeLine): string {
  return branch + (task === null ? title : plain(task.name));
}

function row(seen: Seen, line: TreeLine, size: Size, paint: Paint, chosen: boolean): string {
  const { task } = line;
  if (task === null)
    return paint('dim', sized(columns('', '', '', '', nameOf(line), '', size), size.columns));
  const share = seen.share(task.id);
  const rate = seen.rate(task);
  const cpu = share === null || share === 0 ? '' : (100 * share).toFixed(1);
  const turns = rate === null || rate === 0 ? '' : rate.toFixed(rate < 10 ? 1 : 0);
  const state = `${plain(task.state)}${task.cancelled ? '*' : ''}`;
  const text = sized(
    columns(String(task.id), cpu, turns, state, nameOf(line), waitsFor(seen, task), size),
    size.columns,
  );
  if (chosen) return paint('inverse', text);
  // The state, and the whole line of who keeps all the others waiting.
  if (seen.stuck?.task === task.id) return paint('red', text);
  return text.slice(0, 25) + colour(paint, task.state, text.slice(25, 39)) + text.slice(39);
}

/** What a task waits for, and who would have to act. */
function waitsFor(seen: Seen, task: TaskSnapshot): string {
  const wait = seen.wait(task.id);
  const time = timeOf(task);
  // The two are asked for one after the other.
  if (wait === undefined || wait.on === null || wait.state !== task.state)
    return plain(task.operation + time);
  // 'Queue(0 of 3 items, 1 getting)', of which the name has been said.
  const about = wait.about === null || wait.holders.length > 0 ? '' : ` ${wait.about.replace(/^\w+/, '')}`;
  return plain(`${whatOf(wait)}${about}${time}`);
}

function timeOf({ sleep, timeout }: TaskSnapshot): string {
  const left = sleep ?? timeout;
  if (left === null) return '';
  if (left < 0) return `, due ${(-left).toFixed(1)} s ago`;
  return `, ${sleep === null ? 'timeout in' : 'for'} ${left.toFixed(1)} s`;
}

function whatOf({ on, holders, holding }: Wait): string {
  if (holders.length === 0) return on ?? '';
  const names = holders.slice(0, 3).map(({ id, name, ended }) => `${id} ${name}${ended ? ' (ended)' : ''}`);
  const who = `${names.join(', ')}${holding > names.length ? `, … ${holding} in all` : ''}`;
  return /^Task(Group)?#/.test(on ?? '') ? `the end of ${who}` : `${on} held by ${who}`;
}

/** The stack of the chosen task, in the lower part of the screen. */
function foot({ stack }: View, rows: number): string[] {
  if (stack === null) return [];
  const [title = '', ...lines] = stack.split('\n').map(plain);
  const room = Math.max(1, Math.floor(rows / 2) - 3);
  // The most recent call comes last.
  return ['', title, ...lines.slice(-room)];
}
