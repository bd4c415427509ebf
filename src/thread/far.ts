/*
 * What a worker runs that is to be an async thread.
 */

import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Bell, type BellWords, joinCrowd } from '../base/bell.ts';
import { printAtOnce } from '../workers/far/console.ts';
import { tellMainScript } from '../workers/travel/main-script.ts';
import './index.ts';
import './library.ts';
import { Outpost } from './outpost.ts';

/** What it is started with. */
export interface Outfit {
  port: MessagePort;
  words: BellWords;
  main: string | null;
}

const { port, words, main } = workerData as Outfit;
tellMainScript(main);
printAtOnce();
joinCrowd(words);
new Outpost(
  {
    post: (message) => port.postMessage(message),
    take: () => receiveMessageOnPort(port)?.message as unknown,
    listen: (heard) => port.on('message', heard),
  },
  new Bell(words),
);
