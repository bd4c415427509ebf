/*
 * `curio/testing`: tests of concurrent programs that do not sleep, and do not
 * leave the order of things to chance.
 */

export { VirtualClock, type VirtualClockOptions } from './clock.ts';
export {
  type CancelEverywhereOptions,
  cancelEverywhere,
  type Interruption,
  type InterruptionKind,
} from './everywhere.ts';
export { type ExploreOptions, explore, randomNumbers } from './explore.ts';
export type { TrialOptions } from './trial.ts';
