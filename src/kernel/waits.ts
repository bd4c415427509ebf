/*
 * Who waits for whom: the tasks that are blocked, what each waits for, who would have to act, and the circles in which
 * nobody ever will. Read off the waiting lists when a report is made; nothing is kept for it while tasks run.
 *
 * A circle is only called one if it is: a task that has a timeout, or waits for something that any task or the outside
 * may bring, is not stuck, nor is one that waits for it.
 */

import { userFrames } from '../base/stack.ts';
import { type Subject, TaskRecord } from './record.ts';

/** A task, as reports name it. */
export interface WaitingTask {
  id: number;
  name: string;
  /** True once it has ended: what it holds is never given back. */
  ended: boolean;
}

/** One task that is blocked. */
export interface Wait {
  id: number;
  name: string;
  state: string;
  /** Such as `'Lock.acquire()'`; empty for an ordinary promise. */
  operation: string;
  /** Where it was called, when stacks are on. */
  place: [filename: string, line: number] | null;
  /** What it waits for, numbered: `'Lock#1'`; null where that is not a task's or an object's to bring. */
  on: string | null;
  /** That object as text, such as `'Queue(0 items, 1 getting, 0 putting)'`. */
  about: string | null;
  /** Who would have to act, any one of them; the first few. Empty where anybody may. */
  holders: WaitingTask[];
  /** How many `holders` there are in all. */
  holding: number;
}

/** What reports say about waiting. Plain data. */
export interface WaitGraph {
  waits: Wait[];
  /** Each circle as the ids of its tasks, each of which waits for the next, and the last for the first. The first few thousand. */
  circles: number[][];
}

/** So many holders of one thing are named. */
const NAMED = 10;
/** So many lines a report may have, and as many circles; so many tasks of a circle are named. */
const LINES = 50;
/** So many holders are looked at for circles, and so many tasks may stand in them all. */
const LOOKS = 1_000_000;
const CIRCLED = 10_000;

const numbers = new WeakMap<object, number>();
const lastNumbers = new Map<string, number>();

/** What an object is called in reports: its class and a number, which it gets when it is first reported on. */
function nameOf(subject: Subject): string {
  if (subject instanceof TaskRecord) return `Task#${subject.id}`;
  const kind = subject.constructor.name;
  let number = numbers.get(subject);
  if (number === undefined) {
    number = (lastNumbers.get(kind) ?? 0) + 1;
    lastNumbers.set(kind, number);
    numbers.set(subject, number);
  }
  return `${kind}#${number}`;
}

/** What a task waits for, as `Wait.on` has it. */
export function waitedFor(record: TaskRecord): string | null {
  const subject = record.waitingIn?.subject;
  return subject ? nameOf(subject) : null;
}

function aboutOf(subject: Subject): string | null {
  try {
    const text = String(subject);
    return text.startsWith('[object ') ? null : text;
  } catch {
    // swallows: a toString() of the user's that throws; a report is made all the same.
    return null;
  }
}

/** The graph as it is now. `stuck`: it is known that nothing from outside will come any more, no timeout either. */
export function waitGraph(records: Iterable<TaskRecord>, stuck = false): WaitGraph {
  const blocked = [...records].filter((record) => record.waiting || record.state === 'PROMISE_WAIT');
  const holdersOf = holderCache();
  const waits = blocked.map((record) => describeWait(record, holdersOf));
  return { waits, circles: circlesAmong(stuckAmong(blocked, holdersOf, stuck), holdersOf) };
}

type HoldersOf = (record: TaskRecord) => readonly TaskRecord[] | null;

/** Many may wait for the same thing: it is asked once. */
function holderCache(): HoldersOf {
  const known = new Map<Subject, TaskRecord[]>();
  return (record) => {
    const subject = record.waitingIn?.subject;
    if (!subject) return null;
    if (subject instanceof TaskRecord) return [subject];
    if (subject.holders === undefined) return null;
    let holders = known.get(subject);
    if (holders === undefined) {
      holders = [...subject.holders()];
      known.set(subject, holders);
    }
    return holders;
  };
}

function describeWait(record: TaskRecord, holdersOf: HoldersOf): Wait {
  const subject = record.waitingIn?.subject ?? null;
  const holders = holdersOf(record) ?? [];
  const frame = record.stack === null ? undefined : userFrames(record.stack)[0];
  return {
    id: record.id,
    name: record.name,
    state: record.state,
    operation: record.operation,
    place: frame === undefined ? null : [frame.file, frame.line],
    on: waitedFor(record),
    about: subject === null || subject instanceof TaskRecord ? null : aboutOf(subject),
    holders: holders.slice(0, NAMED).map(({ id, name, terminated }) => ({ id, name, ended: terminated })),
    holding: holders.length,
  };
}

/** The tasks that wait for the same, and those of which one must act first. */
interface Crowd {
  waiting: TaskRecord[];
  holders: readonly TaskRecord[];
}

/** Those that no task that still goes on will ever wake. */
function stuckAmong(blocked: TaskRecord[], holdersOf: HoldersOf, certain: boolean): Set<TaskRecord> {
  const stuck = new Set(blocked);
  if (certain) return stuck;
  const crowds = new Map<Subject, Crowd>();
  const free: TaskRecord[] = [];
  for (const record of blocked) {
    const holders = holdersOf(record);
    // No holders: passed on already to somebody who has not had its turn.
    if (record.timeoutAt !== null || holders === null || holders.length === 0) free.push(record);
    else {
      const subject = record.waitingIn!.subject!;
      const crowd = crowds.get(subject);
      if (crowd === undefined) crowds.set(subject, { waiting: [record], holders });
      else crowd.waiting.push(record);
    }
  }
  const heldBy = new Map<TaskRecord, Crowd[]>();
  for (const crowd of crowds.values()) {
    if (crowd.holders.some((holder) => !holder.terminated && !stuck.has(holder))) release(crowd, free);
    else for (const holder of crowd.holders) listIn(heldBy, holder).push(crowd);
  }
  for (let record = free.pop(); record !== undefined; record = free.pop()) {
    if (stuck.delete(record)) for (const crowd of heldBy.get(record) ?? []) release(crowd, free);
  }
  return stuck;
}

/** Adds those who wait here to those who may go on, once. */
function release({ waiting }: Crowd, free: TaskRecord[]): void {
  for (const record of waiting.splice(0)) free.push(record);
}

function listIn<K, V>(lists: Map<K, V[]>, key: K): V[] {
  let list = lists.get(key);
  if (list === undefined) {
    list = [];
    lists.set(key, list);
  }
  return list;
}

function circlesAmong(stuck: Set<TaskRecord>, holdersOf: HoldersOf): number[][] {
  const circles: number[][] = [];
  const seen = new Set<TaskRecord>();
  // Where many wait for what many hold, there are more ways, and circles, than anybody could go or read.
  let looks = LOOKS;
  let room = CIRCLED;
  for (const start of stuck) {
    if (seen.has(start)) continue;
    // Depth first, without recursion: thousands may stand in one line.
    const trail: TaskRecord[] = [];
    const place = new Map<TaskRecord, number>();
    const open: Iterator<TaskRecord>[] = [];
    const enter = (record: TaskRecord) => {
      const holders = holdersOf(record) ?? [];
      looks -= holders.length;
      seen.add(record);
      place.set(record, trail.length);
      trail.push(record);
      open.push(holders.filter((holder) => stuck.has(holder))[Symbol.iterator]());
    };
    enter(start);
    while (open.length > 0) {
      if (looks < 0 || room < 0) return circles;
      const { value: next, done } = open.at(-1)!.next();
      if (done) {
        open.pop();
        place.delete(trail.pop()!);
        continue;
      }
      const at = place.get(next);
      if (at !== undefined) {
        circles.push(trail.slice(at).map(({ id }) => id));
        room -= trail.length - at;
      } else if (!seen.has(next)) enter(next);
    }
  }
  return circles;
}

const called = ({ id, name }: { id: number; name: string }) => `${id} '${name}'`;

/** The graph as text, a line for each task that waits for something of which more is known than its state. */
export function waitReport({ waits, circles }: WaitGraph): string {
  const told = waits.filter(({ on }) => on !== null);
  if (told.length === 0) return '';
  const byId = new Map(told.map((wait) => [wait.id, wait]));
  // What goes round in circles first: it is what the reader looks for, and the list may be cut.
  const inCircles = new Set(circles.flat());
  const ordered = [
    ...told.filter(({ id }) => inCircles.has(id)),
    ...told.filter(({ id }) => !inCircles.has(id)),
  ];
  const lines = ordered.slice(0, LINES).map(waitLine);
  if (ordered.length > LINES) lines.push(`  … and ${ordered.length - LINES} more`);
  const rounds = circles.slice(0, LINES).map((circle) => circleLine(circle, byId));
  if (circles.length > LINES) rounds.push(`… and ${circles.length - LINES} circles more.`);
  return ['Who waits for whom:', ...lines, ...rounds].join('\n');
}

function waitLine(wait: Wait): string {
  const at = wait.place === null ? '' : ` at ${wait.place[0]}:${wait.place[1]}`;
  return `  ${called(wait)} waits for ${goal(wait)}   [${wait.operation}${at}]`;
}

function goal({ on, about, holders, holding }: Wait): string {
  if (holding === 0) return `${on}${about === null ? '' : `: ${about}`}`;
  const more = holding > holders.length ? `, … (${holding} in all)` : '';
  const names = holders.map((holder) => `${called(holder)}${holder.ended ? ', which has ended' : ''}`);
  const who = `${names.join(', ')}${more}`;
  if (on!.startsWith('Task#')) return `the end of ${who}`;
  if (on!.startsWith('TaskGroup#')) return `the end of ${holding > 1 ? 'one of ' : ''}${who}, in ${on}`;
  return `${on}, held by ${who}`;
}

function circleLine(circle: number[], waits: Map<number, Wait>): string {
  const steps = circle.slice(0, LINES).map((id) => {
    const wait = waits.get(id)!;
    return `${called(wait)} → ${wait.on}`;
  });
  if (circle.length > LINES) steps.push(`… and ${circle.length - LINES} tasks more`);
  return `A circle: ${steps.join(' → ')} → ${called(waits.get(circle[0]!)!)}.`;
}
