/*
 * How objects become messages and messages objects: V8's structured clone, or JSON. What comes from a peer is not to be
 * trusted: a message that makes no sense is an error.
 */

import { describe } from '../base/callable.ts';
import { systemError } from '../io/system.ts';

/** `'structured'`: V8's structured clone, for Node on both ends. `'json'`: for other languages. */
export type CodecName = 'structured' | 'json';

export interface Codec {
  /** @throws what cannot be sent */
  encode(value: unknown): Uint8Array;
  /** @throws an Error with the code EBADMSG for what makes no sense */
  decode(message: Buffer): unknown;
}

// Loaded when first needed: they are not free.
const v8 = () => process.getBuiltinModule('node:v8');

const structured: Codec = {
  encode: (value) => v8().serialize(value),
  decode(message) {
    try {
      return v8().deserialize(message);
    } catch (error) {
      // swallows: nothing waits here; the message is the peer's, and so is the fault.
      throw undecodable(message, 'a structured clone', error);
    }
  },
};

const utf8 = new TextDecoder('utf-8', { fatal: true });

const json: Codec = {
  encode(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`${describe(value)} cannot be sent as JSON. Send null, say.`);
    return Buffer.from(text);
  },
  decode(message) {
    try {
      return JSON.parse(utf8.decode(message));
    } catch (error) {
      // swallows: nothing waits here; the message is the peer's, and so is the fault.
      throw undecodable(message, 'JSON', error);
    }
  },
};

/** @throws TypeError for a name that there is not */
export function codecNamed(name: unknown, who: string): Codec {
  if (name === 'structured') return structured;
  if (name === 'json') return json;
  throw new TypeError(`${who} knows the codecs 'structured' and 'json', not ${describe(name)}.`);
}

const PICKLE = 0x80;

export function undecodable(message: Buffer, what: string, cause?: unknown): Error {
  const error = systemError('EBADMSG', 'recv');
  error.message += `: a message of ${message.length} bytes has been received that is not ${what}`;
  if (message.subarray(0, 11).toString('latin1') === '#CHALLENGE#')
    error.message += '; the peer wants to see a key: connect({ authkey })';
  else if (message[0] === PICKLE && message.at(-1) === 0x2e)
    error.message +=
      '; it looks like a Python pickle: let Python send bytes, or JSON as bytes, and read recvBytes()';
  if (cause !== undefined) error.cause = cause;
  return error;
}
