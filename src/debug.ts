/*
 * `curio/debug`: the debuggers, and what records.
 */

export {
  type DebugOptions,
  type LongBlockOptions,
  logcrash,
  longblock,
  schedtrace,
  traptrace,
} from './debuggers.ts';
export { FlightRecorder, type FlightRecorderOptions, flightRecorder } from './recording/flight.ts';
export {
  type Cancellation,
  CancellationLedger,
  type CancellationsOptions,
  cancellations,
} from './recording/ledger.ts';
