/*
 * `curio/subprocess`: starting other programs, after Python's module of that name.
 */

export { CalledProcessError, CompletedProcess } from './completed.ts';
export { DEVNULL, type HasDescriptor, PIPE, type PopenOptions, type Redirection, STDOUT } from './options.ts';
export { type Piped, Popen } from './popen.ts';
export { type CheckOutputOptions, checkOutput, type RunOptions, run } from './run.ts';
