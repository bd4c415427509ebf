/*
 * `curio monitor`: a terminal's end of the connection to a program's monitor. It must not know the monitor's commands.
 */

import { connect, type Socket } from 'node:net';
import type { Command } from 'commander';
import { CurioError } from '../errors.ts';
import { MONITOR_HOST, MONITOR_PORT } from '../monitor/terms.ts';

export function define(command: Command): void {
  command
    .option('-H, --host <host>', 'where the program runs', MONITOR_HOST)
    .option('-p, --port <port>', 'where its monitor listens', portNumber, MONITOR_PORT)
    .addHelpText(
      'after',
      '\nThe program must have been started with its monitor, by\n' +
        'run({ withMonitor: true }, …) or by CURIOMONITOR=1 in its environment.\n' +
        'In the monitor, help lists the commands.',
    )
    .action(({ host, port }: { host: string; port: number }) => talk(host, port));
}

function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535)
    throw new CurioError(`'${text}' is not a port. It is a number from 1 to 65535.`);
  return port;
}

async function talk(host: string, port: number): Promise<void> {
  const socket = await reach(host, port);
  let asked = false;
  process.stdin.setEncoding('utf8').on('data', (text: string) => {
    asked = /^\s*(e|q)/m.test(text);
    socket.write(text);
  });
  // The end of what is typed is no end of what is to be read.
  process.stdin.on('end', () => socket.write('exit\n'));
  socket.pipe(process.stdout, { end: false });
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.on('error', () => socket.destroy());
  });
  process.stdin.destroy();
  if (!asked && !process.stdin.readableEnded)
    process.stdout.write('\n*** Connection closed by remote host ***\n');
}

function reach(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED') return reject(error);
      const hint =
        'Start the program with run({ withMonitor: true }, …), or with CURIOMONITOR=1 in its environment.';
      reject(new CurioError(`No monitor listens on ${host}:${port}. ${hint}`));
    });
  });
}
