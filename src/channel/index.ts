/*
 * `curio/channel`: messages between programs.
 */

export { AuthenticationError, ConnectionError } from '../errors.ts';
export type { Digest } from './authentication.ts';
export { Channel, type ChannelOptions } from './channel.ts';
export type { CodecName } from './codec.ts';
export { type AuthenticationOptions, Connection, type ConnectionOptions } from './connection.ts';
export type { MessageReader, MessageWriter } from './framing.ts';
export type { Port } from './port.ts';
export type { MeetingOptions } from './terms.ts';
