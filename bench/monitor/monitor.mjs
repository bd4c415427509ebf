// What the monitor costs while nobody looks, and how long looking takes.

import { execFile, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { compare, median } from '../harness.mjs';

const watched = fileURLToPath(new URL('./watched.mjs', import.meta.url));
const curio = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const now = () => performance.timeOrigin + performance.now();

/** Lets `work` look at a program that runs. */
async function looking(args, work) {
  const child = spawn(process.execPath, [watched, ...args]);
  // An inspector that is started says so.
  child.stderr.setEncoding('utf8').on('data', (text) => {
    for (const line of text.split('\n')) if (!/^(Debugger |For help|$)/.test(line)) console.error(line);
  });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value: port } = await lines.next();
    return await work(child, lines, Number(port));
  } finally {
    child.kill('SIGKILL');
  }
}

/** Somebody at a prompt of the monitor. */
function typist(port) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  let pieces = [];
  let answered = () => {};
  socket.on('data', (text) => {
    pieces.push(text);
    if (!text.endsWith('curio > ')) return;
    answered(pieces.join(''));
    pieces = [];
  });
  const answer = () =>
    new Promise((resolve) => {
      answered = resolve;
    });
  return {
    greeted: answer(),
    /** The answer to a line. */
    type(line) {
      socket.write(`${line}\n`);
      return answer();
    },
    end: () => socket.destroy(),
  };
}

/** Milliseconds until `ps` has shown so many tasks. */
const psTime = (count, rounds = 25) =>
  looking(['tasks', String(count)], async (_child, _lines, port) => {
    const user = typist(port);
    await user.greeted;
    const samples = [];
    for (let round = -3; round < rounds; round++) {
      const began = performance.now();
      const text = await user.type('ps');
      if (round >= 0) samples.push(performance.now() - began);
      if (text.split('\n').length < count) throw new Error(`ps has shown too little:\n${text.slice(0, 500)}`);
    }
    user.end();
    return median(samples);
  });

/** Milliseconds from the moment a task begins to spin until somebody who keeps asking is told so. */
const noticeTime = (rounds = 9) =>
  looking(['spin', '1000'], async (child, lines, port) => {
    const user = typist(port);
    await user.greeted;
    const samples = [];
    for (let round = 0; round < rounds; round++) {
      await new Promise((resolve) => setTimeout(resolve, 300 + 17 * round));
      child.stdin.write('\n');
      while (!(await user.type('ps')).includes('has not moved'));
      const told = now();
      const { value: began } = await lines.next();
      samples.push(told - Number(began));
      while ((await user.type('ps')).includes('has not moved'));
    }
    user.end();
    return samples;
  });

/** Milliseconds of a whole `curio ps` of another process, and of one that does nothing. */
const attachTime = (rounds = 7) =>
  looking(['tasks', '10'], async ({ pid }) => {
    const samples = { 'attach, ps and leave': [], 'curio --version': [] };
    const run = promisify(execFile);
    for (let round = -1; round < rounds; round++) {
      for (const [name, args] of [
        ['attach, ps and leave', ['ps', String(pid)]],
        ['curio --version', ['--version']],
      ]) {
        const began = performance.now();
        await run(process.execPath, [curio, ...args]);
        if (round >= 0) samples[name].push(performance.now() - began);
      }
    }
    return samples;
  });

const PEERS = ['off', 'monitor', 'recorder'];

/** The middle of several comparisons: how well V8 compiles one process decides about as much as what is compared. */
async function switches(times = 5) {
  const all = [];
  for (let n = 0; n < times; n++)
    all.push(await compare('task switch', PEERS, { suite: 'monitor', rounds: 5, units: 400_000 }));
  return Object.fromEntries(PEERS.map((peer) => [peer, median(all.map((costs) => costs[peer]))]));
}

export async function monitorBenchmarks(report) {
  const costs = await switches();
  report.costs('task switch, watched', 'ns', costs, {});
  report.ratio('switch with the monitor on, nobody looking', costs.monitor / costs.off, 1.2);
  report.ratio('switch with the flight recorder on', costs.recorder / costs.off, 1.3);
  report.atMost('ps of 10,000 tasks', await psTime(10_000), 50, 'ms');
  const noticed = await noticeTime();
  report.atMost('a spinning kernel is noticed', median(noticed), 200, 'ms');
  report.figure('a spinning kernel is noticed, slowest', Math.max(...noticed), 'ms');
  const attached = await attachTime();
  for (const [name, samples] of Object.entries(attached)) report.figure(name, median(samples), 'ms');
}
