// Adds up vitest's JSON reports, named as arguments, and prints `N passed, N failed`. A file that failed as a whole, before
// any of its tests could, counts as one failure, and so does a report that was never written.

import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
for (const file of process.argv.slice(2)) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    passed += report.numPassedTests;
    failed += report.numFailedTests;
    for (const { status, assertionResults } of report.testResults) {
      const blamed = assertionResults.some((/** @type {{ status: string }} */ it) => it.status === 'failed');
      if (status === 'failed' && !blamed) failed += 1;
    }
  } catch (error) {
    console.error(`no test report: ${error}`);
    failed += 1;
  }
}
console.log(`${passed} passed, ${failed} failed`);
