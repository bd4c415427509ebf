/*
 * What Node tells in one turn of its loop, told to the kernel in one go. Node calls for each socket that has received something; to wake the
 * kernel, run one task and let it rest again costs more than what the task does. So the slots are collected, and woken together once
 * Node has gone through its sockets.
 *
 * It must not know what has come, nor for whom.
 */

import { nextTurn } from '../../base/loop.ts';
import type { Slot } from '../slot.ts';

/** So many are told in one go: with more of them, what the first one needs has left the processor's cache by the time of its turn. */
const MOST = 24;
/** After one that came alone, so many are told at once before it is looked again whether others come with them. */
const ALONE = 4;

let gathered: Slot[] = [];
let alone = 0;

/** Something has come for whoever waits in `slot`: he is woken before this turn of the loop ends. */
export function gather(slot: Slot): void {
  if (gathered.length > 0) {
    // Twice for the same one: he shall take it, before Node must be stopped.
    const twice = gathered[gathered.length - 1] === slot;
    if (!twice) gathered.push(slot);
    if (twice || gathered.length === MOST) tell();
  } else if (alone > 0) {
    alone--;
    slot.ready();
  } else {
    gathered.push(slot);
    nextTurn(tell);
  }
}

function tell(): void {
  const slots = gathered;
  if (slots.length === 0) return;
  gathered = [];
  if (slots.length === 1) alone = ALONE;
  for (const slot of slots) slot.ready();
}
