/*
 * How the two ends of a connection show each other that they have the same key, as Python's multiprocessing does it.
 *
 * One sends a challenge: random bytes. The other answers with their HMAC under the key, and is told whether that is
 * right. Until Python 3.11 the challenge is 20 bytes and the HMAC is MD5's. From 3.12 on the challenge begins with the name of a digest in
 * braces, the answer too, and the HMAC covers all of the challenge. Knows no streams.
 */

import { describe } from '../base/callable.ts';
import { AuthenticationError } from '../errors.ts';

/** Digests as Python names them. */
export type Digest = 'md5' | 'sha256' | 'sha384' | 'sha3_256' | 'sha3_384';

const DIGESTS: readonly string[] = ['md5', 'sha256', 'sha384', 'sha3_256', 'sha3_384'] satisfies Digest[];

const CHALLENGE = Buffer.from('#CHALLENGE#');
const WELCOME = Buffer.from('#WELCOME#');
const FAILURE = Buffer.from('#FAILURE#');

/** Random bytes in a challenge with and without the name of a digest. */
const NAMED_LENGTH = 40;
const NAMELESS_LENGTH = 20;
const MD5_LENGTH = 16;

/** No message of the handshake is longer. */
export const LONGEST_STEP = 256;

/** One end of a connection, as far as the handshake goes. */
export interface Party {
  put(message: Uint8Array): Promise<void>;
  take(): Promise<Buffer>;
}

// Loaded when first needed: it is not free.
const crypto = () => process.getBuiltinModule('node:crypto');

/** @throws TypeError for what is no key */
export function keyOf(authkey: unknown, who: string): Buffer {
  if (typeof authkey !== 'string' && !(authkey instanceof Uint8Array))
    throw new TypeError(`${who} wants a string or bytes as authkey, not ${describe(authkey)}.`);
  // A copy, which nobody else changes.
  const key = Buffer.from(authkey);
  if (key.length === 0) throw new TypeError(`${who} was given an empty authkey, which anybody has.`);
  return key;
}

/** @throws TypeError for a digest that there is not */
export function digestNamed(name: unknown, who: string): Digest {
  if (typeof name === 'string' && DIGESTS.includes(name)) return name as Digest;
  throw new TypeError(`${who} knows the digests ${DIGESTS.join(', ')}, not ${describe(name)}.`);
}

/**
 * The challenges of each side that wait for an answer. Whoever has not got the key could send one back to the same side of another
 * connection, and have it answered there.
 */
const open = { caller: new Set<string>(), called: new Set<string>() };
type Side = keyof typeof open;

/** The side that was called: it wants to see the key first, and then shows its own. */
export async function greetClient(party: Party, key: Buffer, digest: Digest): Promise<void> {
  await deliverChallenge(party, key, digest, 'called');
  await answerChallenge(party, key, 'called');
}

/** The side that calls. */
export async function greetServer(party: Party, key: Buffer, digest: Digest): Promise<void> {
  await answerChallenge(party, key, 'caller');
  await deliverChallenge(party, key, digest, 'caller');
}

async function deliverChallenge(party: Party, key: Buffer, digest: Digest, side: Side): Promise<void> {
  const challenge = makeChallenge(digest);
  const name = challenge.toString('latin1');
  open[side].add(name);
  let response: Buffer;
  try {
    await party.put(Buffer.concat([CHALLENGE, challenge]));
    response = await party.take();
  } finally {
    open[side].delete(name);
  }
  const fault = faultOf(key, challenge, response, digest);
  await party.put(fault === null ? WELCOME : FAILURE);
  if (fault !== null) throw fault;
}

async function answerChallenge(party: Party, key: Buffer, side: Side): Promise<void> {
  const message = await party.take();
  if (!message.subarray(0, CHALLENGE.length).equals(CHALLENGE))
    throw new AuthenticationError(
      'The peer speaks another protocol: it should have sent a challenge, and did not.',
    );
  const challenge = message.subarray(CHALLENGE.length);
  if (open[side].has(challenge.toString('latin1')))
    throw new AuthenticationError(
      'The peer has no key: it has sent a challenge back that this program made.',
    );
  await party.put(respond(key, challenge));
  const verdict = await party.take();
  if (!verdict.equals(WELCOME))
    throw new AuthenticationError('The peer has another key: the digest sent was rejected.');
}

function makeChallenge(digest: Digest): Buffer {
  if (digest === 'md5') return crypto().randomBytes(NAMELESS_LENGTH);
  return Buffer.concat([prefix(digest), crypto().randomBytes(NAMED_LENGTH)]);
}

/** The answer to a challenge. */
export function respond(key: Buffer, challenge: Buffer): Buffer {
  if (challenge.length < NAMELESS_LENGTH)
    throw new AuthenticationError(`The peer's challenge is too short: ${challenge.length} bytes.`);
  const asked = digestOf(challenge);
  if (asked === null) throw unknownDigest(challenge);
  const { digest, named } = asked;
  const mac = hmac(digest, key, challenge);
  return named ? Buffer.concat([prefix(digest), mac]) : mac;
}

/** What is wrong with an answer to a challenge; null if nothing is. */
export function faultOf(
  key: Buffer,
  challenge: Buffer,
  response: Buffer,
  wanted: Digest,
): AuthenticationError | null {
  const answer = digestOf(response);
  if (answer === null) return unknownDigest(response);
  const { digest, named } = answer;
  // To a challenge without a name one may answer with a better digest; where one was named it is meant.
  if (wanted !== 'md5' && digest !== wanted)
    return new AuthenticationError(`The peer answered with ${digest}, and ${wanted} was asked for.`);
  const mac = named ? response.subarray(digest.length + 2) : response;
  const expected = hmac(digest, key, challenge);
  if (expected.length === mac.length && crypto().timingSafeEqual(expected, mac)) return null;
  return new AuthenticationError('The peer has another key: the digest received was wrong.');
}

/** The digest that a challenge or an answer names; those of the old lengths name none. Null for one not known here. */
function digestOf(message: Buffer): { digest: Digest; named: boolean } | null {
  if (message.length === NAMELESS_LENGTH || message.length === MD5_LENGTH)
    return { digest: 'md5', named: false };
  const end = message.indexOf('}');
  const name = message[0] === 0x7b && end > 0 ? message.subarray(1, end).toString('latin1') : '';
  return DIGESTS.includes(name) ? { digest: name as Digest, named: true } : null;
}

function unknownDigest(message: Buffer): AuthenticationError {
  return new AuthenticationError(
    `The peer sent ${message.length} bytes that name no digest known here (${DIGESTS.join(', ')}).`,
  );
}

function prefix(digest: Digest): Buffer {
  return Buffer.from(`{${digest}}`);
}

function hmac(digest: Digest, key: Buffer, message: Buffer): Buffer {
  return crypto().createHmac(digest.replace('_', '-'), key).update(message).digest();
}
