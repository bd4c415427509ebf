/*
 * What a worker runs that is to be an async thread.
 */

import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Bell, type BellWords, joinCrowd } from '../base/bell.ts';
import './index.ts';
import { Outpost } from './outpost.ts';

const { port, words } = workerData as { port: MessagePort; words: BellWords };
joinCrowd(words);
new Outpost(
  {
    post: (message) => port.postMessage(message),
    take: () => receiveMessageOnPort(port)?.message as unknown,
    listen: (heard) => port.on('message', heard),
  },
  new Bell(words),
);
