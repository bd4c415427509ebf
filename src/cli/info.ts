/*
 * `curio info`: the versions, and which I/O driver runs here and why. What a bug report should begin with.
 */

import type { Command } from 'commander';
import { packageVersion } from '../base/package.ts';
import { CurioError } from '../errors.ts';
import { driverInfo } from '../io/index.ts';
import { loadAddon } from '../io/posix/addon.ts';

/** What `curio info --json` prints. */
export interface Info {
  curio: string;
  node: string;
  platform: string;
  /** The C library that Node was started with, such as `glibc 2.36`; null where that does not matter. */
  libc: string | null;
  /** The driver that runs, or null where what CURIO_DRIVER asks for cannot. */
  driver: 'posix' | 'portable' | null;
  reason: string;
  addon: { file: string; origin: 'built here' | 'prebuilt' } | { missing: string };
  /** CURIO_DRIVER, null if it is not set. */
  asked: string | null;
}

export function define(command: Command): void {
  command
    .option('--json', 'the same, for programs')
    .addHelpText(
      'after',
      '\nCURIO_DRIVER=posix or CURIO_DRIVER=portable in the environment chooses the\n' +
        'driver. The exit code is 1 if the one it asks for cannot run.',
    )
    .action(({ json = false }: { json?: boolean }) => {
      const info = gather();
      console.log(json ? JSON.stringify(info, null, 2) : table(info));
      if (info.driver === null) process.exitCode = 1;
    });
}

function gather(): Info {
  const addon = loadAddon();
  return {
    curio: packageVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    libc: libc(),
    ...choice(),
    addon: addon.posix === null ? { missing: addon.reason } : { file: addon.file, origin: addon.origin },
    asked: process.env.CURIO_DRIVER || null,
  };
}

function choice(): Pick<Info, 'driver' | 'reason'> {
  try {
    const { name, reason } = driverInfo();
    return { driver: name, reason };
  } catch (error) {
    // swallows: choosing waits for nothing; that it failed is what this command is there to show.
    if (!(error instanceof CurioError)) throw error;
    return { driver: null, reason: error.message };
  }
}

function libc(): string | null {
  if (process.platform !== 'linux') return null;
  // The report would ask the name service about every network interface.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? 'not glibc' : `glibc ${header.glibcVersionRuntime}`;
}

function table({ curio, node, platform, libc, driver, reason, addon, asked }: Info): string {
  const rows: [string, string][] = [
    ['Curio', curio],
    ['Node', node],
    ['Platform', libc === null ? platform : `${platform}, ${libc}`],
    ['Driver', `${driver ?? 'none'}: ${reason}`],
    ['Addon', 'file' in addon ? `${addon.origin}: ${addon.file}` : `none: ${addon.missing}`],
  ];
  if (asked !== null) rows.push(['CURIO_DRIVER', asked]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
