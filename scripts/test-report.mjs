// What .ci/run keeps of a test run: how many tests there were, and in a few lines each what was wrong, so that the end of its
// output says all that must be known. Vitest's own JSON report knows no errors outside of tests, such as a worker that died.

import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';

/**
 * The beginning of an error, and of what caused it.
 * @param {any} error
 * @returns {string}
 */
function brief(error, depth = 3) {
  const said = String(error?.message ?? error)
    .split('\n')
    .slice(0, 3)
    .join(' ')
    .slice(0, 300);
  const line = /** @type {string | undefined} */ (
    error?.stack?.split('\n').find((/** @type {string} */ at) => /\/(test|src)\//.test(at))
  );
  const cause = error?.cause && depth > 0 ? `; because of: ${brief(error.cause, depth - 1)}` : '';
  return `${said}${line ? ` (${line.trim()})` : ''}${cause}`;
}

/** A reporter for vitest that writes `{ passed, failed, faults }` to a file, for count-tests.mjs. */
export class TestReport {
  /** @param {string} file */
  constructor(file) {
    this.file = file;
    /** @type {string[]} */
    this.deaths = [];
    // Vitest says that a process of its has died, not what of.
    subscribe('child_process', (message) => {
      const { process } = /** @type {{ process: import('node:child_process').ChildProcess }} */ (message);
      let last = '';
      process.once('spawn', () =>
        process.stderr?.on('data', (text) => {
          last = `${last}${text}`.slice(-600);
        }),
      );
      process.once('exit', (code, signal) => {
        // SIGTERM is vitest's own, once a file's tests are over.
        if (code || (signal && signal !== 'SIGTERM')) {
          const said = last.trim().replaceAll(/\s*\n\s*/g, ' | ');
          this.deaths.push(`process ${process.pid} ended with ${signal ?? code}, and said last: ${said}`);
        }
      });
    });
  }

  /** @type {NonNullable<import('vitest/node').Reporter['onTestRunEnd']>} */
  onTestRunEnd(modules, unhandled) {
    let passed = 0;
    const faults = [];
    for (const module of modules) {
      const file = module.relativeModuleId;
      let never = 0;
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === 'passed') passed += 1;
        else if (state === 'pending') never += 1;
        for (const error of errors ?? []) faults.push(`${file} > ${test.fullName}: ${brief(error)}`);
      }
      if (never > 0) faults.push(`${file}: ${never} tests never ended`);
      for (const error of module.errors()) faults.push(`${file}: ${brief(error)}`);
    }
    for (const error of unhandled) {
      const during = /** @type {any} */ (error).VITEST_TEST_NAME;
      faults.push(`outside of tests${during ? `, during ${during}` : ''}: ${brief(error)}`);
    }
    const failed = faults.length;
    if (failed > 0) faults.push(...this.deaths);
    writeFileSync(this.file, JSON.stringify({ passed, failed, faults }));
  }
}
