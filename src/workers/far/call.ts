/*
 * The far side of a pool: a thread or a process that does one call after the other.
 */

import { isMainThread, type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
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

/** Looks for the next call before going to sleep: some 50 microseconds. */
const LOOKS = 8000;
/** Calls in a row without the event loop having had a turn. */
const ROW = 500;

function serveThread({ port, sent, main }: Outfit): void {
  tellMainScript(main);
  printAtOnce();
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
    for (let look = 0; look < LOOKS; look++) if (Atomics.load(sent, 0) !== done) return true;
    return false;
  };

  port.on('message', (first: CallMessage) => {
    let again = serve(first);
    for (let row = 0; again && row < ROW && comes(); row++) {
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
