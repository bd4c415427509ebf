/*
 * The context of Node's own, where the inspector evaluates. Modules may be loaded in another: test runners make one with
 * node:vm for each file, whose `globalThis` nobody finds from outside.
 */

/** The global object that the inspector knows as `globalThis`. */
export function mainGlobal(): typeof globalThis {
  return process.getBuiltinModule('node:vm').runInThisContext('globalThis');
}
