/*
 * Which tasks use the CPU, found by looking again and again who has the turn. The kernel does nothing for it.
 */

/** How often each task was seen running; under 0 how often none was. */
export type Samples = Record<number, number>;

/**
 * Looks for `ms` milliseconds, `pause` after each look.
 * @param running the id of the task whose turn it is, 0 for none; null if that cannot be told
 */
export async function sampleRunning(
  ms: number,
  pause: number,
  running: () => number | null | Promise<number | null>,
): Promise<Samples> {
  const samples: Samples = {};
  const end = performance.now() + ms;
  do {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const id = await running();
    if (id !== null) samples[id] = (samples[id] ?? 0) + 1;
  } while (performance.now() < end);
  return samples;
}
