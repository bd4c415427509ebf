// Starts the browser that the tests in test/browser/ look with: headless Chromium, found by CHROMIUM or at the usual places. It must
// know nothing of what is looked at.

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const executablePath = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

export async function startBrowser(): Promise<Browser> {
  if (executablePath === undefined)
    throw new Error('No Chromium is here: apt-get install chromium, or set CHROMIUM.');
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}
