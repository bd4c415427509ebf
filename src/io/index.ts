/*
 * `curio/io`: sockets and streams, and which driver is behind them.
 */

export type { Address } from './address.ts';
export type { Data } from './attempts.ts';
export { Blocking } from './blocking.ts';
export { type DriverInfo, driverInfo } from './choice.ts';
export type { Ancillary, BlockingSocket } from './driver.ts';
export { Socket } from './socket.ts';
