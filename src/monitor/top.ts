/*
 * Which tasks use the CPU, as a table.
 */

import type { Samples } from '../stall/samples.ts';
import type { Snapshot } from './snapshot.ts';
import { plain } from './table.ts';

/** A line for each task, the busiest first. */
export function topText(before: Snapshot, after: Snapshot, samples: Samples, most = 30): string {
  const total = Math.max(
    1,
    Object.values(samples).reduce((sum, n) => sum + n, 0),
  );
  const cyclesBefore = new Map(before.tasks.map(({ id, cycles }) => [id, cycles]));
  const seconds = Math.max(after.time - before.time, 0.001);
  const rows = after.tasks.map((task) => ({
    ...task,
    share: (100 * (samples[task.id] ?? 0)) / total,
    turns: (task.cycles - (cyclesBefore.get(task.id) ?? 0)) / seconds,
  }));
  rows.sort((a, b) => b.share - a.share || b.turns - a.turns || a.id - b.id);
  const line = (id: string, cpu: string, turns: string, state: string, name: string) =>
    `${id.padEnd(6)} ${cpu.padStart(6)} ${turns.padStart(10)}  ${state.padEnd(12)} ${name}`;
  return [
    line('Task', 'CPU %', 'Cycles/s', 'State', 'Task'),
    ...rows
      .slice(0, most)
      .map((row) =>
        line(String(row.id), row.share.toFixed(1), row.turns.toFixed(1), plain(row.state), plain(row.name)),
      ),
    ...(rows.length > most ? [`… and ${rows.length - most} more`] : []),
  ].join('\n');
}
