/*
 * Launching an async thread: its line, its service in the kernel, and the function on its way. Loaded when a program
 * starts its first one, together with all that such a thread can ask for.
 */

import type { AnyFunction } from '../base/callable.ts';
import { pack } from '../workers/travel/pack.ts';
import './library.ts';
import { openLine } from './line.ts';
import { Service } from './service.ts';

/**
 * What the thread asks for is done in the service's `run()`.
 * @throws TypeError if the function or an argument cannot travel; nothing is left behind then
 */
export function launch(
  fn: AnyFunction,
  args: readonly unknown[],
  { name, daemon }: { name: string; daemon: boolean },
): Service {
  const line = openLine(name);
  const service = new Service(line, daemon);
  try {
    service.start(name, pack(fn, 'spawnThread'), args);
  } catch (error) {
    line.close();
    throw error;
  }
  line.launch();
  return service;
}
