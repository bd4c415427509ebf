#!/usr/bin/env node
/*
 * The program `curio`. Everything it does is in the other files of this folder; this one belongs to the process:
 * its arguments, its output, its exit code.
 */

import { commandLine } from './command-line.ts';

// `curio … | head` ends the reader first. There is nobody left to write to, and nothing wrong. A terminal that has been closed
// sends a signal as well, and commands take leave then.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EIO') return;
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

process.exitCode = await commandLine(process.argv.slice(2));
