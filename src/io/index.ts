/*
 * `curio/io`: sockets and streams, and which driver is behind them.
 */

export type { Address } from './address.ts';
export type { Data } from './attempts.ts';
export { Blocking } from './blocking.ts';
export { type DriverInfo, driverInfo } from './choice.ts';
export type { Ancillary, BlockingFile, BlockingSocket } from './driver.ts';
export { FileStream } from './file-stream.ts';
export type { NodeSocket, NodeStreamLike, WebReadable, WebWritable } from './handles.ts';
export { Socket } from './socket.ts';
export { SocketStream } from './socket-stream.ts';
