/*
 * What `curio ps`, `where`, `tree` and `waiters` have in common: they attach to a process, give one command of the monitor, show what
 * that says, and leave.
 */

import { constants } from 'node:os';
import { Argument, type Command, InvalidArgumentError } from 'commander';
import { CurioError } from '../../errors.ts';
import { visit } from '../visit.ts';

const HELP =
  '\nThe process need not have been prepared. It must be of the same user, on this\n' +
  "machine, and run Curio in its main thread. Node's inspector is started in it\n" +
  'for a moment, on a free port of the loopback, and stopped again. Linux only.';

/** The argument PID, the option --json, and what is to be known. */
export function attaching(command: Command): Command {
  return command
    .addArgument(new Argument('<pid>', 'the process').argParser(numberFrom))
    .option('--json', 'the same, for programs')
    .addHelpText('after', HELP);
}

/** The argument parser for the numbers of processes and tasks. */
export function numberFrom(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number, such as 3.');
}

/** Prints what the monitor's command `line` says about the process. */
export async function look(pid: number, line: string, { json = false }: { json?: boolean }): Promise<void> {
  await visit({ pid }, async (link, interrupted) => {
    const answer = await Promise.race([link.ask(line), interrupted]);
    if (typeof answer === 'string') {
      process.exitCode = 128 + constants.signals[answer];
      return;
    }
    const { text, data } = answer;
    const { error } = data as { error?: string };
    if (error !== undefined || /^No task \d+$/.test(text))
      throw new CurioError(error ?? `${text} in process ${pid}`);
    console.log(json ? JSON.stringify(data, null, 2) : text);
  });
}
