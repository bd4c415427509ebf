/*
 * Takes the command line apart, runs the one command it names, and tells how that went as an exit code: 0 went well,
 * 1 failed, 2 was called wrongly. It must not know any command but from the table.
 */

import { Command, CommanderError } from 'commander';
import { packageVersion } from '../base/package.ts';
import { CurioError } from '../errors.ts';
import { alone, type CommandEntry, commands } from './commands.ts';

const FAILED = 1;
const CALLED_WRONGLY = 2;

/**
 * Does what the arguments say, and gives the exit code.
 * @param args what follows `curio`
 * @param table the commands there are
 */
export async function commandLine(args: string[], table: CommandEntry[] = commands): Promise<number> {
  try {
    await program(table).parseAsync(args.length === 0 ? alone : withoutHelpCommand(args, table), {
      from: 'user',
    });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // swallows: no task is running here; this is where every failure of a command becomes words.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : CALLED_WRONGLY;
    process.stderr.write(`curio: ${complaint(error)}\n`);
    return FAILED;
  }
}

function program(table: CommandEntry[]): Command {
  const curio = new Command('curio')
    .description('Looks into Curio, and into the programs that run on it.')
    .version(packageVersion(), '-V, --version', 'show the version of Curio')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'curio: ')),
    })
    .addHelpText('after', "\n'curio <command> --help' tells more about a command.");
  for (const { name, summary } of table) {
    curio
      .command(name)
      .description(summary)
      .copyInheritedSettings(curio)
      .helpOption('-h, --help', 'show this help')
      .showHelpAfterError(`'curio ${name} --help' shows how it is called.`);
  }
  curio.showHelpAfterError("'curio --help' lists the commands.");
  curio.hook('preSubcommand', async (_, command) => {
    const entry = table.find(({ name }) => name === command.name())!;
    (await entry.load()).define(command);
  });
  return curio;
}

/** `help x` means `x --help`; a command that is not there is complained about instead. */
function withoutHelpCommand(args: string[], table: CommandEntry[]): string[] {
  const [first, name] = args;
  if (first !== 'help') return args;
  if (name === undefined) return ['--help'];
  return table.some((entry) => entry.name === name) ? [name, '--help'] : [name];
}

/** An error in words: what a user can mend needs no stack, what only we can does. */
function complaint(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected = error instanceof CurioError || 'syscall' in error;
  return expected ? error.message : (error.stack ?? error.message);
}
