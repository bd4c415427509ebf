/*
 * Running a command to its end: `run()` and `checkOutput()`. Nothing of a process is left when they return or throw.
 */

import { nextTurn } from '../base/loop.ts';
import { CancelledError } from '../errors.ts';
import type { Data } from '../io/attempts.ts';
import type { FileStream } from '../io/file-stream.ts';
import { attach } from '../io/system.ts';
import {
  begin,
  elsewhere,
  enterComposite,
  futureWait,
  handled,
  refused,
  shield,
  type TaskRecord,
  unshield,
} from '../traps.ts';
import { CompletedProcess } from './completed.ts';
import { checkOptions, launch, PIPE, type PopenOptions } from './options.ts';
import { inputOf, Popen } from './popen.ts';

/** Options of `run()`. */
export interface RunOptions extends PopenOptions {
  /** What the process gets to read; its standard input is then a pipe. */
  input?: Data | null | undefined;
  /** Throw a `CalledProcessError` unless the process ends with 0. Default false. */
  check?: boolean | undefined;
  /** Standard output and standard error are both `PIPE`. Default false. */
  captureOutput?: boolean | undefined;
}

/** Options of `checkOutput()`. */
export type CheckOutputOptions = Omit<RunOptions, 'stdout' | 'check' | 'captureOutput'> & {
  stdout?: typeof PIPE | null | undefined;
};

type Args = string | readonly string[];

/**
 * Runs a command and waits for it to end. Blocks.
 *
 * A limit on its time: `timeoutAfter(seconds, () => run(args))`.
 *
 * **Cancellation:** the process has been killed and has ended before the exception comes out, whose `stdout` and `stderr` are what it had
 * written. With `processGroup: true` the same goes for what it had started.
 * @throws CalledProcessError with `check: true`, unless the process ends with 0
 * @throws an Error with a code such as `ENOENT` if it cannot be started, or `EPIPE` if it does not read all of its input
 * @throws TypeError for arguments that make no sense
 * @see Reference manual, "Subprocesses"
 * @example
 * const { stdout, returncode } = await run(['git', 'status'], { stdout: PIPE });
 */
export function run(args: Args, options: RunOptions = {}): Promise<CompletedProcess> {
  const there = elsewhere();
  if (there !== null) return there.call('subprocess.run', [args, options]) as Promise<CompletedProcess>;
  return runCommand(args, options, 'run()');
}

/**
 * Runs a command, and gives what it has written to standard output. Blocks.
 *
 * **Cancellation:** as for `run()`.
 * @throws CalledProcessError unless the process ends with 0; `stderr: PIPE` shows there what it complained of
 * @throws an Error with a code such as `ENOENT` if it cannot be started, or `EPIPE` if it does not read all of its input
 * @throws TypeError for arguments that make no sense
 * @see Reference manual, "Subprocesses"
 * @example
 * const out = await checkOutput(['netstat', '-a']);
 */
export function checkOutput(args: Args, options: CheckOutputOptions = {}): Promise<Buffer> {
  const there = elsewhere();
  if (there !== null) return there.call('checkOutput', [args, options]) as Promise<Buffer>;
  const { stdout } = checkOptions(options, 'checkOutput()', ['input']);
  if (stdout != null && stdout !== PIPE)
    throw new TypeError(
      'checkOutput() gives standard output; to send it elsewhere, use run() with check: true.',
    );
  const done = runCommand(args, { ...options, stdout: PIPE, check: true }, 'checkOutput()');
  return handled(done.then(({ stdout }) => stdout));
}

function runCommand(args: Args, options: RunOptions, who: string): Promise<CompletedProcess> {
  const own = checkOptions(options, who, ['input', 'check', 'captureOutput']);
  const { input, check = false, captureOutput = false, ...rest } = own;
  const bytes = inputOf(input, who);
  if (bytes !== null) {
    if (rest.stdin != null && rest.stdin !== PIPE)
      throw new TypeError(`${who} was given both input and stdin: input is what standard input is.`);
    rest.stdin = PIPE;
  }
  if (captureOutput) {
    if (rest.stdout != null || rest.stderr != null)
      throw new TypeError(`${who}: captureOutput stands for stdout: PIPE and stderr: PIPE; leave these out.`);
    rest.stdout = rest.stderr = PIPE;
  }
  launch(args, rest, who);
  const task = enterComposite(`subprocess.${who}`);
  if (task === null) return refused(`subprocess.${who}`);
  // A task that is to stop starts nothing.
  return begin(task, `subprocess.${who}`) ?? handled(runToEnd(task, args, rest, bytes, check === true));
}

async function runToEnd(
  task: TaskRecord,
  args: Args,
  options: PopenOptions,
  input: Uint8Array | null,
  check: boolean,
): Promise<CompletedProcess> {
  const process = new Popen(args, options);
  let output: [Buffer, Buffer];
  try {
    output = await process.communicate(input);
  } catch (error) {
    await destroy(task, process, error);
    throw error;
  }
  const completed = new CompletedProcess(process.args, process.returncode as number, ...output);
  if (check) completed.checkReturncode();
  return completed;
}

/** Kills a process, waits for its end, and adds to the error what it had still written. */
async function destroy(task: TaskRecord, process: Popen, error: unknown): Promise<void> {
  if (process.pid === null) return;
  shield(task);
  try {
    process.kill();
    await process.wait();
    const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
    attach(error, 'stdout', Buffer.concat([stdout ?? EMPTY, ...(await rest(process.stdout))]));
    attach(error, 'stderr', Buffer.concat([stderr ?? EMPTY, ...(await rest(process.stderr))]));
  } finally {
    for (const stream of [process.stdin, process.stdout, process.stderr]) stream?.readiness.close();
    unshield(task);
  }
}

const EMPTY = Buffer.alloc(0);
const CHUNK = 65536;
/** Turns of the event loop after which Node has read what there was. */
const TURNS = 3;

/**
 * What is still in the pipe of a process that has ended. Its end is not waited for: something that the process has
 * started may live on and hold the pipe open.
 */
async function rest(stream: FileStream | null): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  if (stream === null) return chunks;
  try {
    for (let turns = 0; turns < TURNS && !stream.readiness.closed; turns++) {
      let chunk = stream.readiness.recv(CHUNK, 0);
      for (; chunk !== null; chunk = stream.readiness.recv(CHUNK, 0)) {
        if (chunk.length === 0) return chunks;
        chunks.push(chunk);
        turns = 0;
      }
      await futureWait(new Promise<void>((resolve) => nextTurn(resolve)));
    }
  } catch (error) {
    // The caller has an error already; this one only says that there is no more to read.
    if (error instanceof CancelledError) throw error;
  }
  return chunks;
}
