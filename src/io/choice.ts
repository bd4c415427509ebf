/*
 * Which driver runs: posix where its addon is there, else portable; CURIO_DRIVER overrides.
 * Chosen when the first socket is made, so that importing Curio loads neither.
 */

import { NotSupportedError, RuntimeError } from '../errors.ts';
import { provideReadiness } from '../readiness.ts';
import type { Driver } from './driver.ts';
import { PortableDriver } from './portable/driver.ts';
import { loadAddon } from './posix/addon.ts';
import { PosixDriver } from './posix/driver.ts';

/** What `driverInfo()` gives. */
export interface DriverInfo {
  name: 'posix' | 'portable';
  /** Why it is this one. */
  reason: string;
  /** The addon's file, null without one. */
  addon: string | null;
}

let chosen: { driver: Driver; info: DriverInfo } | null = null;

function choose(wanted = process.env.CURIO_DRIVER ?? ''): { driver: Driver; info: DriverInfo } {
  if (wanted !== '' && wanted !== 'posix' && wanted !== 'portable') {
    throw new RuntimeError(`CURIO_DRIVER is 'posix' or 'portable', not '${wanted}'.`);
  }
  if (wanted === 'portable') return portable('CURIO_DRIVER asks for it');
  // Bun is ended by the addon's first call of libuv; Deno's child processes know no descriptors.
  const other = ['bun', 'deno'].find((name) => name in process.versions);
  if (wanted === '' && other !== undefined) return portable(`the addon is for Node, and this is ${other}`);
  const loaded = loadAddon();
  if (loaded.posix !== null) {
    const reason = wanted === 'posix' ? 'CURIO_DRIVER asks for it' : `its addon is there, ${loaded.origin}`;
    posixDriver ??= new PosixDriver(loaded.posix);
    return { driver: posixDriver, info: { name: 'posix', reason, addon: loaded.file } };
  }
  if (wanted === 'posix') {
    throw new NotSupportedError(
      `CURIO_DRIVER asks for the posix driver, but ${loaded.reason}. ` +
        "Build it with 'node scripts/build-native.mjs', or leave CURIO_DRIVER out.",
    );
  }
  return portable(loaded.reason);
}

function portable(reason: string): { driver: Driver; info: DriverInfo } {
  return { driver: new PortableDriver(), info: { name: 'portable', reason, addon: null } };
}

// A thread has one epoll set, and so one posix driver, however often it is chosen.
let posixDriver: PosixDriver | null = null;

/** @internal Chooses again, for tests that run on each driver. Sockets made before keep theirs. */
export function chooseDriver(wanted: 'posix' | 'portable' | ''): void {
  chosen = choose(wanted === '' ? undefined : wanted);
}

/** The driver of this thread. */
export function driver(): Driver {
  chosen ??= choose();
  return chosen.driver;
}

/**
 * Which I/O driver runs, and why. Does not block.
 * @throws NotSupportedError if CURIO_DRIVER asks for one that cannot run
 */
export function driverInfo(): DriverInfo {
  chosen ??= choose();
  return { ...chosen.info };
}

provideReadiness((fd, create) => {
  // Where no driver has been needed yet, nobody waits.
  if (!create && chosen === null) return null;
  return driver().readiness(fd, create);
});
