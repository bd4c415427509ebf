/*
 * Tasks under their parents, as lines of text.
 */

import type { TaskRecord } from '../traps.ts';

/** One line for each task, indented below the task that spawned it. One whose parent has ended stands at the margin. */
export function treeOf(tasks: readonly TaskRecord[]): string[] {
  const children = new Map<number | null, TaskRecord[]>();
  const living = new Set(tasks.map(({ id }) => id));
  for (const task of tasks) {
    const parent = task.parentId !== null && living.has(task.parentId) ? task.parentId : null;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [task]);
    else siblings.push(task);
  }
  const lines: string[] = [];
  // Without recursion: each may have been spawned by the one before.
  const open = (children.get(null) ?? []).map((task) => ({ task, depth: 0 })).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { task, depth } = next;
    lines.push(`${'  '.repeat(Math.min(depth, 40))}${lineOf(task)}`);
    for (const child of (children.get(task.id) ?? []).reverse()) open.push({ task: child, depth: depth + 1 });
  }
  return lines;
}

function lineOf(task: TaskRecord): string {
  const operation = task.operation === '' || task.state === 'RUNNING' ? '' : ` in ${task.operation}`;
  return `${task.id} ${task.name}: ${task.state}${operation}, ${task.cycles} turns`;
}
