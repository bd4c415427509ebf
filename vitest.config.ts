import { defineConfig } from 'vitest/config';
import { entries, root, specifier } from './scripts/entries.mjs';
import { farScripts } from './scripts/far-scripts.mjs';
import { TestReport } from './scripts/test-report.mjs';

// Tests write `import { run } from 'curio'`, as a user does, and get the sources.
const alias = Object.entries(entries).map(([name, source]) => ({
  find: new RegExp(`^${specifier(name)}$`),
  replacement: root + source,
}));

// .ci/run names a file here to count the tests afterwards.
const report = process.env.CURIO_TEST_REPORT;

export default defineConfig({
  resolve: { alias },
  // Threads and processes of ours run the very scripts that are shipped. From the sources, each thread would have Node's
  // WebAssembly take the types out of every file: slow, and in Node 24 two threads at that may end the process
  // (V8: "Check failed: jit_page.has_value()").
  plugins: [farScripts()],
  // Node 20 cannot parse `using`; it is compiled down.
  oxc: { target: 'node20' },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // Tests wait on the virtual clock, so a test that is still running now hangs. One that loops without
    // ever letting a timer run is ended by the watchdog.
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 10_000,
    setupFiles: ['test/kit/watchdog.ts'],
    reporters: report ? ['default', new TestReport(report)] : ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/examples.test.ts', 'test/browser/**'],
        },
      },
      {
        extends: true,
        // Programs in processes of their own, one after the other: slow on a busy machine.
        test: { name: 'examples', include: ['test/examples.test.ts'], testTimeout: 120_000 },
      },
      {
        extends: true,
        // Wants Chromium: npm run test:browser. One browser at a time.
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
