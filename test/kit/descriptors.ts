// Counts the descriptors of this process: what a test leaves open. It must not know Curio's insides.

import { readdirSync } from 'node:fs';

/** How many descriptors are open. */
export const descriptors = (): number => readdirSync('/proc/self/fd').length;

/** Fails if after `program` more descriptors are open than before. Node closes a little later than it is told. */
export async function leavesNothingOpen(program: () => unknown): Promise<void> {
  // What is opened once in a thread is open after the first run.
  await program();
  await settled(0);
  const before = descriptors();
  await program();
  await settled(before);
  const after = descriptors();
  if (after > before) throw new Error(`${after - before} descriptors more are open than before.`);
}

/** Until there are so few, or for a good while. */
async function settled(limit: number): Promise<void> {
  for (let i = 0; i < 100 && descriptors() > limit; i++)
    await new Promise((resolve) => setTimeout(resolve, 2));
}
