/*
 * Deadlock detection: Node is about to exit although a kernel is still running.
 * Nothing can wake any task any more, so the kernels are told.
 */

interface Sleeper {
  declareDeadlock(): void;
}

const running = new Set<Sleeper>();

function beforeExit(): void {
  for (const kernel of [...running]) kernel.declareDeadlock();
}

/** From now on this kernel wants to know when Node runs out of things to do. */
export function watchForExit(kernel: Sleeper): void {
  if (running.size === 0) process.on('beforeExit', beforeExit);
  running.add(kernel);
}

export function unwatchForExit(kernel: Sleeper): void {
  running.delete(kernel);
  if (running.size === 0) process.off('beforeExit', beforeExit);
}
