// Async threads and universal queues, beside what can be had with nothing but `node:worker_threads`. Time on the clock.

import { compare } from '../clock.mjs';

const perSecond = (costs) => Object.fromEntries(Object.entries(costs).map(([peer, us]) => [peer, 1e6 / us]));

async function measure(report, name, scenario, peers, most) {
  const costs = await compare('threads', scenario, peers);
  report.costs(name, 'µs', costs, {});
  report.rates(perSecond(costs), 'a second');
  if (most !== undefined) report.atMost(name, costs.curio, most, 'µs');
}

export async function threadsBenchmarks(report) {
  // 40,000 and 500,000 a second.
  await measure(report, 'AWAIT, a round trip', 'await', ['curio', 'spinning port', 'sleeping port'], 25);
  await measure(report, 'UniversalQueue, thread to task, an item', 'up', ['curio', 'port'], 2);
  await measure(report, 'UniversalQueue, task to thread, an item', 'down', ['curio', 'port']);
}
