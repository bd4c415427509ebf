/*
 * The far side of a pool: a thread or a process that does one call after the other.
 */

import { isMainThread, type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { looksOf } from '../../base/bell.ts';
import { Lookout, MOMENT_OF_PROCESSES } from '../../base/lookout.ts';
import { Patience } from '../../base/patience.ts';
import { sealEnvelope } from '../envelope.ts';
import { BEGUN, type CallMessage, type LastWords, type Reply, SENT } from '../message.ts';
import { tellMainScript } from '../travel/main-script.ts';
import { answer, unclonable } from './answer.ts';
import { printAtOnce } from './console.ts';

interface Outfit {
  port: MessagePort;
  counts: Int32Array;
  main: string | null;
}

if (isMainThread) serveProcess();
else serveThread(workerData as Outfit);

/** How long it waits for the next call before the event loop has a turn, in milliseconds. */
const NAP = 2;
/** How long calls may follow each other without the event loop having had a turn, in milliseconds. */
const ROW = 25;

function serveThread({ port, counts, main }: Outfit): void {
  tellMainScript(main);
  printAtOnce();
  const patience = new Patience();
  let received = 0;
  /** A call waits for a promise; those behind it wait for that. */
  let isPending = false;
  const behind: CallMessage[] = [];

  const reply = (outcome: Reply, call: CallMessage): void => {
    try {
      port.postMessage(outcome);
    } catch (error) {
      // swallows: nothing; the caller gets it instead of the value.
      port.postMessage(unclonable(error, call));
    }
  };

  /** Does a call, unless it has been taken back. True if another may be looked for. */
  const serve = (call: CallMessage): boolean => {
    const before = received++;
    if (Atomics.compareExchange(counts, BEGUN, before, received) !== before) return true;
    const outcome = answer(call);
    if (outcome instanceof Promise) {
      isPending = true;
      void outcome.then((it) => {
        reply(it, call);
        isPending = false;
        while (!isPending && behind.length > 0) serve(behind.shift()!);
      });
      return false;
    }
    reply(outcome, call);
    return call.linger;
  };

  const comes = (): boolean => {
    const looks = looksOf(patience);
    for (let look = 0; look < looks && Atomics.load(counts, SENT) === received; look++);
    const came = Atomics.wait(counts, SENT, received, NAP) !== 'timed-out';
    if (came) patience.end();
    return came;
  };

  port.on('message', (first: CallMessage) => {
    if (isPending) return void behind.push(first);
    const until = performance.now() + ROW;
    let linger = serve(first);
    while (!isPending && performance.now() < until) {
      const next = receiveMessageOnPort(port) as { message: CallMessage } | undefined;
      if (next !== undefined) linger = serve(next.message);
      else if (!linger || !comes()) return;
    }
  });
}

function serveProcess(): void {
  const send = process.send!.bind(process) as (message: Reply | LastWords) => boolean;
  // What the function would send is no answer to a call.
  process.send = undefined;
  let isBusy = false;
  const lookout = new Lookout(MOMENT_OF_PROCESSES);
  const reply = (outcome: Reply, call: CallMessage): void => {
    try {
      send(outcome);
    } catch (error) {
      // swallows: nothing; the caller gets it instead of the value.
      send(unclonable(error, call));
    }
    isBusy = false;
    listen();
    // The next call may be about to come.
    lookout.asked();
  };
  const listeners: Record<string, (about: never) => void> = {
    uncaughtExceptionMonitor: (error: unknown) => send({ lastWords: sealEnvelope(error), isBusy }),
    // Ctrl-C goes to all processes of a terminal. What is to become of this one is for the program to say.
    SIGINT() {},
    disconnect: () => process.exit(),
    message(call: CallMessage | { main: string | null }) {
      if ('main' in call) return tellMainScript(call.main);
      lookout.heard();
      isBusy = true;
      const outcome = answer(call);
      if (outcome instanceof Promise) void outcome.then((it) => reply(it, call));
      else reply(outcome, call);
    },
  };
  /** After each call again: the function may have removed all listeners there are. */
  const listen = (): void => {
    for (const [name, listener] of Object.entries(listeners) as [string, () => void][]) {
      if (process.listeners(name as 'message').includes(listener)) continue;
      process.on(name, listener);
      // Node counts by listeners of its own whether the channel keeps this process alive, and they may be gone as well.
      process.channel?.ref();
    }
  };
  listen();
  send({ value: 'ready', isBuffer: false });
}
