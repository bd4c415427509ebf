/*
 * The far side of a pool: a thread or a process that does one call after the other.
 */

import { isMainThread, type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Patience } from '../../base/patience.ts';
import type { CallMessage, Reply } from '../message.ts';
import { tellMainScript } from '../travel/main-script.ts';
import { answer, unclonable } from './answer.ts';
import { printAtOnce } from './console.ts';

interface Outfit {
  port: MessagePort;
  /** Counts the calls that have been sent. */
  sent: Int32Array;
  main: string | null;
}

if (isMainThread) serveProcess();
else serveThread(workerData as Outfit);

/** How long it waits for the next call before the event loop has a turn, in milliseconds. */
const NAP = 2;
/** How long calls may follow each other without the event loop having had a turn, in milliseconds. */
const ROW = 25;

function serveThread({ port, sent, main }: Outfit): void {
  tellMainScript(main);
  printAtOnce();
  const patience = new Patience();
  let done = 0;

  const reply = (outcome: Reply, call: CallMessage): void => {
    try {
      port.postMessage(outcome);
    } catch (error) {
      // swallows: nothing; the caller gets it instead of the value.
      port.postMessage(unclonable(error, call));
    }
  };

  /** Does a call; true if it is over and another may be looked for. */
  const serve = (call: CallMessage): boolean => {
    done++;
    const outcome = answer(call);
    if (outcome instanceof Promise) {
      void outcome.then((it) => reply(it, call));
      return false;
    }
    reply(outcome, call);
    return call.linger;
  };

  const comes = (): boolean => {
    const looks = patience.begin();
    for (let look = 0; look < looks && Atomics.load(sent, 0) === done; look++);
    const came = Atomics.wait(sent, 0, done, NAP) !== 'timed-out';
    if (came) patience.end();
    return came;
  };

  port.on('message', (first: CallMessage) => {
    const until = performance.now() + ROW;
    let again = serve(first);
    while (again && performance.now() < until && comes()) {
      const next = receiveMessageOnPort(port) as { message: CallMessage } | undefined;
      if (next === undefined) return;
      again = serve(next.message);
    }
  });
}

function serveProcess(): void {
  const send = process.send!.bind(process) as (message: Reply) => boolean;
  const reply = (outcome: Reply, call: CallMessage): void => {
    try {
      send(outcome);
    } catch (error) {
      // swallows: nothing; the caller gets it instead of the value.
      send(unclonable(error, call));
    }
  };
  // Ctrl-C goes to all processes of a terminal. What is to become of this one is for the program to say.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  process.on('message', (call: CallMessage | { main: string | null }) => {
    if ('main' in call) return tellMainScript(call.main);
    const outcome = answer(call);
    if (outcome instanceof Promise) void outcome.then((it) => reply(it, call));
    else reply(outcome, call);
  });
  send({ value: 'ready', isBuffer: false });
}
