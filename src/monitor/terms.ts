/*
 * Where the monitor listens unless it is told otherwise: known to the monitor and to its clients.
 */

export const MONITOR_HOST = '127.0.0.1';
export const MONITOR_PORT = 48802;
