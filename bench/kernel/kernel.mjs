// The kernel's benchmarks: every figure beside its peers, as ratios, and the targets it is held to.

import { execFileSync, spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { compare, median } from '../harness.mjs';

const node20 = process.versions.node.startsWith('20.');
const memory = fileURLToPath(new URL('./memory.mjs', import.meta.url));

/**
 * `limits`: the most that Curio may cost, as a multiple of a peer. They are for Node 24; until then asynchronous context
 * costs every promise several times as much, and the one limit is the bare switch's.
 */
const comparisons = [
  {
    name: 'task switch',
    peers: ['promises', 'curio', 'effect', 'effection', 'asyncio'],
    limits: node20 ? { promises: 9 } : { promises: 3.5, effect: 0.25 },
  },
  {
    name: 'spawn and join',
    peers: ['promises', 'curio', 'effect', 'effection', 'asyncio'],
    limits: node20 ? {} : { effect: 0.5 },
  },
  {
    name: 'timeout around a quick operation',
    peers: ['promises', 'curio', 'effect', 'asyncio'],
    limits: node20 ? {} : { effect: 0.5 },
  },
  { name: 'spawn and cancel', peers: ['curio', 'effect', 'effection', 'asyncio'], limits: {} },
  { name: 'timeout that expires', peers: ['curio', 'effect', 'asyncio'], limits: {} },
  { name: 'queue handoff', peers: ['curio', 'effect', 'effection', 'asyncio'], limits: {} },
  {
    name: 'lock handoff',
    peers: ['curio', 'effect', 'async-mutex', 'p-limit', 'p-queue', 'asyncio'],
    limits: {},
  },
];

function memoryOf(peer) {
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', memory, peer], { encoding: 'utf8' }));
}

/** Milliseconds by which importing `specifier` lengthens the life of a process that imports an empty module. */
function importTime(specifier, rounds = 31) {
  const samples = [];
  const once = (source) => {
    const began = performance.now();
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
    });
    if (status !== 0) throw new Error(String(stderr));
    return performance.now() - began;
  };
  for (let i = 0; i < rounds; i++) {
    const empty = once(`import 'data:text/javascript,'`);
    samples.push(once(`import '${specifier}'`) - empty);
  }
  return median(samples);
}

export async function kernelBenchmarks(report) {
  for (const { name, peers, limits } of comparisons) {
    const costs = await compare(name, peers);
    report.costs(name, 'ns', costs, limits);
  }

  const sleepers = Object.fromEntries(
    ['promises', 'curio', 'effect'].map((peer) => [peer, [1, 2, 3].map(() => memoryOf(peer))]),
  );
  const sleeping = (what) =>
    Object.fromEntries(
      Object.entries(sleepers).map(([peer, runs]) => [peer, median(runs.map((run) => run[what]))]),
    );
  report.costs('heap of a sleeping task', 'B', sleeping('heap'), {});
  report.costs(
    'resident memory of a sleeping task, with the room V8 made for them',
    'B',
    sleeping('roomy'),
    {},
  );
  report.costs('resident memory of a sleeping task', 'B', sleeping('resident'), {});
  report.atMost('resident memory of a sleeping task', sleeping('resident').curio, 1536, 'B');

  const left = memoryOf('timeouts');
  report.atMost('heap after a million timeouts set and lifted', left.heap, 200_000, 'B');

  const imports = {
    curio: importTime('curio'),
    effect: importTime('effect'),
    effection: importTime('effection'),
  };
  report.costs("import over an empty module's", 'ms', imports, {});
  report.atMost("import 'curio' over an empty module's", imports.curio, 25, 'ms');
}
