// The dashboard in a real browser. With CURIO_SCREENSHOTS the pictures of docs/ are taken anew.

import { Event, Lock, Queue, run, Semaphore, sleep, spawn, type Task, TaskGroup, timeoutAfter } from 'curio';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { serveDashboard } from '../../src/cli/dashboard/server.ts';
import { startBrowser } from '../kit/chromium.ts';
import { type Here, linkToHere } from '../kit/looking.ts';
import { recorder } from '../kit/recorder.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());

interface Shown {
  page: Page;
  link: Here;
}

async function show(colorScheme: 'light' | 'dark' = 'light'): Promise<Shown> {
  const link = linkToHere();
  const dashboard = await serveDashboard(link);
  const page = await browser.newPage({ colorScheme, viewport: { width: 1400, height: 820 } });
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  onTestFinished(async () => {
    expect(complaints).toEqual([]);
    await page.close();
    await dashboard.close();
  });
  await page.goto(dashboard.url);
  return { page, link };
}

/** Runs `main` beside the browser: what it awaits of the page are ordinary promises to its tasks. */
const kernel = (main: () => Promise<void>) => run({ logger: recorder(), stacks: true }, main);

/** A program with something of everything. */
async function program(): Promise<void> {
  const jobs = new Queue<number>(50);
  const database = new Semaphore(2);
  const [accounts, ledger] = [new Lock(), new Lock()];
  const closing = new Event();
  const server = async function server() {
    const clients = new TaskGroup();
    for (let n = 0; n < 5; n++) {
      await clients.spawn({ name: 'client' }, async () => {
        for (;;) {
          await sleep(0.2 + Math.random());
          await jobs.put(n);
        }
      });
    }
    await clients.join();
  };
  const worker = async function worker() {
    for (;;) {
      await jobs.get();
      await using _ = await database.acquire();
      await sleep(0.4);
    }
  };
  const transfer = (from: Lock, to: Lock) => async () => {
    await using _1 = await from.acquire();
    await sleep(0.2);
    await using _2 = await to.acquire();
  };
  await spawn({ daemon: true }, server);
  const pool = await spawn({ daemon: true, name: 'workers' }, async () => {
    const group = new TaskGroup();
    for (let n = 0; n < 4; n++) await group.spawn(worker);
    await group.join();
  });
  await spawn({ daemon: true, name: 'transfer A to B' }, transfer(accounts, ledger));
  await spawn({ daemon: true, name: 'transfer B to A' }, transfer(ledger, accounts));
  await spawn({ daemon: true, name: 'auditor' }, () => accounts.acquire());
  await spawn({ daemon: true, name: 'report' }, () => timeoutAfter(3600, () => pool.wait()));
  await spawn({ daemon: true, name: 'heartbeat' }, async () => {
    for (;;) await sleep(0.05);
  });
  await spawn({ daemon: true, name: 'shutdown' }, () => closing.wait());
}

const rowOf = (page: Page, name: string) => page.locator('.row:visible', { hasText: name }).first();

for (const scheme of ['light', 'dark'] as const) {
  test(`shows tasks, states, who waits for whom and a deadlock, in the ${scheme}`, () =>
    kernel(async function main() {
      await program();
      const { page } = await show(scheme);
      await rowOf(page, 'heartbeat').waitFor();
      await page
        .locator('#banner', { hasText: /Deadlock: \d+ 'transfer A to B' → \d+ 'transfer B to A'/ })
        .waitFor();
      expect(await rowOf(page, 'transfer A to B').locator('.state').innerText()).toBe('LOCK_ACQUIRE');
      expect(await rowOf(page, 'transfer A to B').locator('.on').innerText()).toMatch(/^Lock#\d+$/);
      await page.locator('.thing', { hasText: /Queue\(\d+ of 50 items/ }).waitFor();
      await page.locator('.thing.circle', { hasText: 'held by' }).first().waitFor();
      await rowOf(page, 'transfer A to B').click();
      await page.locator('#stack', { hasText: /in <anonymous>|in transfer/ }).waitFor();
      const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect(ground).toBe(scheme === 'light' ? 'rgb(251, 251, 250)' : 'rgb(22, 22, 21)');
      const painted = `(() => { const c = document.getElementById('timeline'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i] > 0) n++; return n; })()`;
      expect(await page.evaluate(painted)).toBeGreaterThan(1000);
      if (process.env.CURIO_SCREENSHOTS !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, 9_000));
        await page.screenshot({ path: `docs/dashboard-${scheme}.png` });
      }
    }));
}

test('cancels a task when told to', () =>
  kernel(async function main() {
    const victim = await spawn({ name: 'victim' }, () => sleep(1000));
    const { page, link } = await show();
    await rowOf(page, 'victim').click();
    await page.locator('#cancel').click();
    await page.locator('#said', { hasText: `Cancelling task ${victim.id}` }).waitFor();
    await victim.wait();
    await page.locator('.row:visible', { hasText: 'victim' }).waitFor({ state: 'hidden' });
    expect(victim.cancelled).toBe(true);
    expect(link.asked).toContain(`cancel ${victim.id}`);
  }));

test('shows ten thousand tasks with as many rows as fit, and finds one of them', { timeout: 60_000 }, () =>
  kernel(async function main() {
    const event = new Event();
    for (let n = 0; n < 10_000; n++) await spawn({ name: `sleeper ${n}`, daemon: true }, () => event.wait());
    const { page } = await show();
    await page.locator('#title', { hasText: '10,001 tasks' }).waitFor();
    expect(await page.locator('.row').count()).toBeLessThan(80);
    await page.evaluate('document.getElementById("scroll").scrollTop = 22 * 10001');
    await rowOf(page, 'sleeper 9999').waitFor();
    await page.locator('#filter').fill('sleeper 4321');
    await rowOf(page, 'sleeper 4321').waitFor();
    expect(await page.locator('.row:visible').count()).toBe(1);
    // A frame with all of them must be drawn in no time, or nothing could be clicked.
    await page.locator('#filter').fill('');
    const slowest = await page.evaluate(
      '(async () => { let worst = 0; for (let n = 0; n < 20; n++) { dirty = true; const began = performance.now(); render(); worst = Math.max(worst, performance.now() - began); await new Promise(requestAnimationFrame); } return worst; })()',
    );
    console.log(`the slowest frame with 10,001 tasks: ${Number(slowest).toFixed(1)} ms`);
    await event.set();
  }),
);

test('says that the kernel is stuck, and that the program is gone', () =>
  kernel(async function main() {
    const spinner: Task = await spawn({ name: 'spinner' }, () => sleep(1000));
    const { page, link } = await show();
    await rowOf(page, 'spinner').waitFor();
    link.stuck = { task: spinner.id, seconds: 3.21 };
    await page
      .locator('#banner', { hasText: `3.2 s: task ${spinner.id} 'spinner' is running, and does not block` })
      .waitFor();
    await page.locator('.row.stuck', { hasText: 'spinner' }).waitFor();
    link.stuck = null;
    link.ask = () => Promise.reject(new Error('The monitor has closed the connection.'));
    await page.locator('#banner', { hasText: 'The monitor has closed the connection.' }).waitFor();
    await spinner.cancel();
  }));
