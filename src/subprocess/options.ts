/*
 * What a process is started with: the constants and options of the subprocess module, checked at the call and
 * turned into what Node wants. Starts nothing.
 */

import type { Readable, Writable } from 'node:stream';
import { describe } from '../base/callable.ts';

/**
 * As `stdin`, `stdout` or `stderr`: a pipe, whose other end is a `FileStream` of the `Popen`.
 * @see Reference manual, "Subprocesses"
 */
export const PIPE = -1;
/** As `stderr`: the same place as `stdout`. */
export const STDOUT = -2;
/** As `stdin`, `stdout` or `stderr`: nothing to read, and what is written goes nowhere. */
export const DEVNULL = -3;

/** What has a descriptor: `Socket`, `FileStream`, `AsyncFile`, Node's `FileHandle` and streams over descriptors. */
export type HasDescriptor = { fileno(): number } | { readonly fd: number } | Readable | Writable;

/** Where a standard stream comes from or goes to. Null, the default, is where this process's own does. */
export type Redirection = typeof PIPE | typeof DEVNULL | number | HasDescriptor | null;

/** Options of `new Popen()`. */
export interface PopenOptions {
  stdin?: Redirection | undefined;
  stdout?: Redirection | undefined;
  /** Also `STDOUT`, for the same place as `stdout`. */
  stderr?: Redirection | typeof STDOUT | undefined;
  /** Run `args` as a command of the shell: `/bin/sh`, or the one named. Default false. */
  shell?: boolean | string | undefined;
  /** The directory to start in. */
  cwd?: string | URL | null | undefined;
  /** The whole environment, instead of this process's own. */
  env?: Readonly<Record<string, string | undefined>> | null;
  /** The program, if it is not `args[0]`; that then is what the program takes for its name. */
  executable?: string | null | undefined;
  /**
   * Start the process at the head of a group (and session) of its own, and send signals to all of the group: `kill()` then also ends
   * what the process has started. Ctrl-C at the terminal no longer reaches it. Default false.
   */
  processGroup?: boolean | undefined;
}

/** What the shell makes of a `Popen`'s options. */
export interface Launch {
  file: string;
  /** `argv[0]` and what follows. */
  argv: string[];
  cwd: string | URL | undefined;
  env: NodeJS.ProcessEnv | undefined;
  processGroup: boolean;
}

const POPEN_OPTIONS = [
  'stdin',
  'stdout',
  'stderr',
  'shell',
  'cwd',
  'env',
  'executable',
  'processGroup',
] as const;

const BYTES =
  'bytes in, bytes out. Encode what you write, and decode what you read: bytes.toString(), or a TextDecoder';

/** What people write who know the module from elsewhere. */
const HINTS: Record<string, string> = {
  text: BYTES,
  encoding: BYTES,
  errors: BYTES,
  universalNewlines: BYTES,
  universal_newlines: BYTES,
  timeout: 'write timeoutAfter(seconds, () => run(args))',
  signal: 'cancel the task instead',
  group: 'write processGroup: true',
  detached: 'write processGroup: true',
  startNewSession: 'write processGroup: true',
  start_new_session: 'write processGroup: true',
  process_group: 'write processGroup: true',
  capture_output: 'write captureOutput: true',
  stdio: 'write stdin, stdout and stderr',
};

/**
 * The options that were given, and none else: what somebody has put into `Object.prototype`, a `shell` say, is not meant.
 * @throws TypeError for an option that there is not
 */
export function checkOptions<O extends object>(options: O, who: string, more: readonly string[] = []): O {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${who} wants an object of options, not ${describe(options)}.`);
  const known: readonly string[] = [...POPEN_OPTIONS, ...more];
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    if (Object.hasOwn(HINTS, name)) throw new TypeError(`${who} has no option '${name}': ${HINTS[name]}.`);
    throw new TypeError(`${who} has no option '${name}'. It knows ${known.join(', ')}.`);
  }
  return { __proto__: null, ...options };
}

/**
 * What is to be run.
 * @throws TypeError for what is no command
 */
export function launch(args: string | readonly string[], options: PopenOptions, who: string): Launch {
  const words = typeof args === 'string' ? [args] : [...checkWords(args, who)];
  const { shell = false, cwd, env, executable, processGroup = false } = options;
  checkWords(words, who);
  if (shell !== false) words.unshift(shellProgram(shell, who), '-c');
  for (const [name, value] of Object.entries({ executable, cwd })) {
    if (value != null && typeof value !== 'string' && !(name === 'cwd' && value instanceof URL))
      throw new TypeError(`${who} wants a string as ${name}, not ${describe(value)}.`);
  }
  if (env != null && typeof env !== 'object')
    throw new TypeError(
      `${who} wants an object as env, such as { ...process.env, LANG: 'C' }, not ${describe(env)}.`,
    );
  return {
    file: executable ?? (words[0] as string),
    argv: words,
    cwd: cwd ?? undefined,
    env: env == null ? undefined : { ...env },
    processGroup: processGroup === true,
  };
}

function checkWords(args: unknown, who: string): readonly string[] {
  if (!Array.isArray(args))
    throw new TypeError(`${who} wants a command such as ['ls', '-l'], not ${describe(args)}.`);
  if (args.length === 0) throw new TypeError(`${who} was given an empty command.`);
  for (const word of args) {
    if (typeof word !== 'string')
      throw new TypeError(`${who}: a command is made of strings, and ${describe(word)} is none.`);
  }
  return args;
}

function shellProgram(shell: unknown, who: string): string {
  if (shell === true) return '/bin/sh';
  if (typeof shell === 'string' && shell !== '') return shell;
  throw new TypeError(`${who} wants true or the path of a shell as shell, not ${describe(shell)}.`);
}

/** The command in words, for messages. */
export function commandText(args: string | readonly string[]): string {
  if (typeof args === 'string') return args;
  return args
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
