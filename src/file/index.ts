/*
 * `curio/file`: files for tasks, as Python's `open()` has them.
 */

export { AsyncFile } from './async-file.ts';
export type { BlockingFile, BlockingMode } from './blocking.ts';
export type { Errors } from './codec.ts';
export { SEEK_CUR, SEEK_END, SEEK_SET } from './contents.ts';
export type { FileOptions } from './format.ts';
export type { Newline } from './newline.ts';
export { aopen } from './open.ts';
