/*
 * `curio/monitor`: what of the monitor users may import.
 */

export { Monitor, type MonitorOptions } from './monitor.ts';
export type { Snapshot, TaskSnapshot } from './snapshot.ts';
