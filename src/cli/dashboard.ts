/*
 * `curio dashboard`: the tasks of a program in a browser. It must not know what the page shows.
 */

import { Argument, type Command, InvalidArgumentError } from 'commander';
import { connectToMonitor } from './dashboard/link.ts';
import { serveDashboard } from './dashboard/server.ts';

interface Where {
  host: string;
  port: number;
}

const MONITOR: Where = { host: '127.0.0.1', port: 48802 };

export function define(command: Command): void {
  command
    .addArgument(
      new Argument('[monitor]', 'host:port of the monitor')
        .argParser(whereFrom)
        .default(MONITOR, `${MONITOR.host}:${MONITOR.port}`),
    )
    .option('-p, --port <port>', 'where to serve the page; 0 for any port that is free', portFrom, 0)
    .addHelpText(
      'after',
      '\nThe program must have been started with run({ withMonitor: true }, …) or\nCURIOMONITOR=1. A monitor that wants a token ' +
        'gets that of CURIOMONITOR_TOKEN.\nCtrl-C ends the dashboard, and nothing else.',
    )
    .action(async ({ host, port }: Where, options: { port: number }) => {
      const link = await connectToMonitor(host, port, process.env.CURIOMONITOR_TOKEN);
      const dashboard = await serveDashboard(link, options.port);
      console.log(`The dashboard is at ${dashboard.url}`);
      await new Promise<void>((resolve) => process.once('SIGINT', () => resolve()));
      await dashboard.close();
      link.close();
    });
}

function portFrom(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new InvalidArgumentError('A port is a number from 0 to 65535.');
}

function whereFrom(text: string): Where {
  const match = /^(.+):(\d+)$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError(`Write host:port, such as ${MONITOR.host}:${MONITOR.port}.`);
  return { host: match[1]!.replace(/^\[(.*)\]$/, '$1'), port: portFrom(match[2]!) };
}
