/*
 * `curio dashboard`: the tasks of a program in a browser. It must not know what the page shows.
 */

import type { Command } from 'commander';
import { serveDashboard } from './dashboard/server.ts';
import { portFrom, visit, WHOM_HELP, type Whom, whomArgument } from './visit.ts';

export function define(command: Command): void {
  command
    .addArgument(whomArgument())
    .option('-p, --port <port>', 'where to serve the page; 0 for any port that is free', portFrom, 0)
    .addHelpText('after', `${WHOM_HELP}\n\nCtrl-C ends the dashboard, and nothing else.`)
    .action((whom: Whom, { port }: { port: number }) =>
      visit(whom, async (link, interrupted) => {
        const dashboard = await serveDashboard(link, port);
        console.log(`The dashboard is at ${dashboard.url}`);
        await interrupted;
        await dashboard.close();
      }),
    );
}
