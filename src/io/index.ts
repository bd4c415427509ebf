/*
 * `curio/io`: sockets and streams, and which driver is behind them.
 */

export type { Address } from './address.ts';
export type { Data } from './attempts.ts';
export { Blocking } from './blocking.ts';
export { type DriverInfo, driverInfo } from './choice.ts';
export type { Ancillary, BlockingFile, BlockingSocket } from './driver.ts';
export type { NodeSocket, NodeStreamLike, WebReadable, WebWritable } from './handles.ts';
export { Socket } from './socket.ts';
export { FileStream, SocketStream } from './stream.ts';
