/*
 * On what terms two ends of a channel meet: the key, the codec, the limits. Checked at the call.
 */

import { describe } from '../base/callable.ts';
import type { Socket } from '../io/socket.ts';
import { type Digest, digestNamed, keyOf } from './authentication.ts';
import { type CodecName, codecNamed } from './codec.ts';
import { Connection, type ConnectionOptions, sizeOf } from './connection.ts';

/** Options of `channel.accept()` and `channel.connect()`. */
export interface MeetingOptions extends ConnectionOptions {
  /** The key that both ends must have. Without one nobody is asked for it. */
  authkey?: string | Uint8Array | null | undefined;
  /** The digest the peer must show the key with. Default `'md5'`, which every Python knows; the others need Python 3.12. */
  digest?: Digest | undefined;
}

export interface Terms {
  key: Buffer | null;
  digest: Digest;
  codec: CodecName;
  maxMessageSize: number | undefined;
}

/** Seconds for the handshake. */
export const PATIENCE = 1;

const OPTIONS = ['authkey', 'digest', 'codec', 'maxMessageSize', 'family'];

/**
 * Options over those of the channel. A key that is not seen, for its name or its place, would be a door that is open.
 * @throws TypeError for options that make no sense
 */
export function termsOf(channel: ConnectionOptions, options: MeetingOptions, who: string): Terms {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(
      `${who} wants an object of options, such as { authkey: 'secret' }, not ${describe(options)}.`,
    );
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined)
    throw new TypeError(`${who} has no option '${unknown}'. It knows ${OPTIONS.join(', ')}.`);
  const { authkey = null, digest = 'md5', codec = 'structured', maxMessageSize } = { ...channel, ...options };
  codecNamed(codec, who);
  return {
    key: authkey === null ? null : keyOf(authkey, who),
    digest: digestNamed(digest, who),
    codec,
    maxMessageSize: maxMessageSize === undefined ? undefined : sizeOf(maxMessageSize, 'maxMessageSize', who),
  };
}

/** The connection over a socket. */
export function connectionOver(sock: Socket, { codec, maxMessageSize }: Terms): Connection {
  const stream = sock.asStream();
  return new Connection(stream, stream, { codec, maxMessageSize });
}
