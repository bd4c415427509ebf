// Adds up the reports of test-report.mjs, named as arguments, and prints what was wrong and `N passed, N failed`. A file that
// failed as a whole, before any of its tests could, counts as one failure, and so does a report that was never written.

import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
for (const file of process.argv.slice(2)) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    passed += report.passed;
    failed += report.failed;
    for (const fault of report.faults) console.log(`  ${fault}`);
  } catch (error) {
    console.log(`  no test report: ${error}`);
    failed += 1;
  }
}
console.log(`${passed} passed, ${failed} failed`);
