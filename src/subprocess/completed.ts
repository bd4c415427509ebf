/*
 * What has become of a process: the result of `run()`, and the error for one that failed.
 */

import { provideErrors } from '../base/far-errors.ts';
import { CurioError } from '../errors.ts';
import { commandText } from './options.ts';
import { signalName } from './signals.ts';

type Args = string | readonly string[];

/** How much of standard error stands in the message. */
const TAIL = 1000;

/**
 * A process that ended with something other than 0, under `check: true` or in `checkOutput()`.
 * @see Tutorial, "Subprocesses"
 */
export class CalledProcessError extends CurioError {
  static {
    const { prototype } = this;
    Object.defineProperty(prototype, 'name', {
      value: 'CalledProcessError',
      writable: true,
      configurable: true,
    });
    Object.defineProperty(prototype, 'code', {
      value: 'ERR_CURIO_CALLED_PROCESS',
      writable: true,
      configurable: true,
    });
  }
  /** What the process ended with; the negative number of the signal that ended it. */
  readonly returncode: number;
  /** The command. */
  readonly cmd: Args;
  /** What it wrote to standard output, if that was a pipe. */
  readonly stdout: Buffer;
  /** What it wrote to standard error, if that was a pipe. */
  readonly stderr: Buffer;

  constructor(returncode: number, cmd: Args, stdout: Buffer = EMPTY, stderr: Buffer = EMPTY) {
    super(sentence(returncode, cmd, stderr));
    this.returncode = returncode;
    this.cmd = cmd;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /** The same as `stdout`. */
  get output(): Buffer {
    return this.stdout;
  }
}

provideErrors({ CalledProcessError });

const EMPTY = Buffer.alloc(0);

function sentence(returncode: number, cmd: Args, stderr: Buffer): string {
  const signal = signalName(-returncode);
  const fate =
    returncode < 0
      ? `died of ${signal ?? `signal ${-returncode}`}`
      : `returned non-zero exit status ${returncode}`;
  const said = stderr.subarray(-TAIL).toString().trim();
  const ellipsis = stderr.length > TAIL ? '…' : '';
  return `The command '${commandText(cmd)}' ${fate}.${said === '' ? '' : `\n${ellipsis}${said}`}`;
}

/**
 * A process that has ended: what `run()` gives.
 * @see Reference manual, "Subprocesses"
 */
export class CompletedProcess {
  /** The command. */
  readonly args: Args;
  /** What the process ended with; the negative number of the signal that ended it. */
  readonly returncode: number;
  /** What it wrote to standard output; empty if that was no pipe. */
  readonly stdout: Buffer;
  /** What it wrote to standard error; empty if that was no pipe. */
  readonly stderr: Buffer;

  constructor(args: Args, returncode: number, stdout: Buffer = EMPTY, stderr: Buffer = EMPTY) {
    this.args = args;
    this.returncode = returncode;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /** @throws CalledProcessError unless the process ended with 0 */
  checkReturncode(): void {
    if (this.returncode !== 0)
      throw new CalledProcessError(this.returncode, this.args, this.stdout, this.stderr);
  }
}
