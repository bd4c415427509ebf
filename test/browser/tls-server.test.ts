// The tutorial's TLS server, asked by a real browser.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startBrowser } from '../kit/chromium.ts';
import { drivers } from '../kit/drivers.ts';
import { Program } from '../kit/program.ts';
import { pem } from '../kit/tls.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());

/** A new window's page, which is closed with the test. */
async function openPage(ignoreHTTPSErrors: boolean) {
  const context = await browser.newContext({ ignoreHTTPSErrors });
  onTestFinished(() => context.close());
  return context.newPage();
}

test.each(drivers)(
  'warns of a certificate nobody vouches for, and shows the page (%s driver)',
  async (driver) => {
    const server = new Program('examples/tutorial/18-tls-server.ts', {
      args: ['0', pem('localhost'), pem('localhost-key')],
      env: { CURIO_DRIVER: driver },
      fast: false,
    });
    const url = `https://localhost:${await server.port()}/browser`;

    const careful = await openPage(false);
    await expect(careful.goto(url)).rejects.toThrow('net::ERR_CERT_AUTHORITY_INVALID');

    const page = await openPage(true);
    for (let visit = 0; visit < 3; visit++) {
      const response = await page.goto(url);
      expect(response?.status()).toBe(200);
      expect(response?.headers()).toEqual({ 'content-type': 'text/plain' });
      expect(await page.textContent('body')).toMatch(
        /^If you're seeing this, it probably worked\. Yay!\n\w+, .* GMT\n$/,
      );
    }

    server.signal('SIGINT');
    const { stdout, stderr } = await server.ended;
    expect(stdout.match(/^GET \/browser HTTP\/1\.1$/gm)).toHaveLength(3);
    expect(stdout).toMatch(/^User-Agent: .*Chrome\//m);
    expect(stderr).not.toContain('Task Crash');
  },
);
