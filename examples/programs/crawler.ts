// A crawler: a few workers that take pages from a queue, and put into it what these link to.
//
// A worker says `taskDone()` when it is done with a page, links and all. So `join()` comes back when the queue is empty and nobody is
// at a page that could fill it again; then the workers, who wait for pages that will not come, are cancelled.
//
// `fetch` is Node's own. `abortable` lends it an AbortSignal of the task, so that a timeout, or Ctrl-C, ends the request too.
//
// Give it a page to begin at: `npx tsx examples/programs/crawler.ts https://example.org/`. It stays on that site. Without one it crawls
// a site of its own, in which one page is missing, and one never comes.

import {
  abortable,
  CancelledError,
  Queue,
  run,
  runServer,
  sleep,
  spawn,
  TaskTimeout,
  taskGroup,
  tcpServerSocket,
  timeoutAfter,
} from 'curio';
import type { Socket } from 'curio/socket';

const WORKERS = 8;
/** How long a page may take, in seconds. */
const PATIENCE = 1;
/** How many pages it goes to at most. */
const PAGES = 200;

function load(url: string): Promise<string> {
  return abortable(async (signal) => {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.text();
  });
}

/** Goes through a site, and tells what became of each of its pages. */
async function crawl(start: string): Promise<Map<string, string>> {
  const outcomes = new Map<string, string>();
  const pages = new Queue<string>();

  async function visit(url: URL) {
    if (url.origin !== new URL(start).origin || outcomes.has(url.href) || outcomes.size === PAGES) return;
    outcomes.set(url.href, 'not loaded');
    await pages.put(url.href);
  }

  async function worker() {
    for await (const page of pages) {
      try {
        const html = await timeoutAfter(PATIENCE, load, page);
        outcomes.set(page, `${html.length} characters`);
        for (const [, link] of html.matchAll(/href="([^"#]+)/g)) await visit(new URL(link!, page));
      } catch (error) {
        if (error instanceof TaskTimeout) outcomes.set(page, 'does not come');
        else if (error instanceof CancelledError) throw error;
        else outcomes.set(page, (error as Error).message);
      }
      await pages.taskDone();
    }
  }

  await taskGroup(async (group) => {
    await visit(new URL(start));
    for (let i = 0; i < WORKERS; i++) await group.spawn(worker);
    await pages.join();
    await group.cancelRemaining();
  });
  return outcomes;
}

// ---- A site to crawl ----

const site: Record<string, string> = {
  '/': '<h1>Fish</h1> <a href="/carp">Carp</a> <a href="/eel">Eel</a> <a href="/coelacanth">Coelacanth</a>',
  '/carp': 'It lives in ponds. <a href="/">All fish</a> <a href="pond">Ponds</a>',
  '/eel': 'It goes far to <a href="/sea">sea</a>. <a href="/">All fish</a>',
  '/pond': 'Where the <a href="/carp">carp</a> lives. <a href="https://example.org/">Other waters</a>',
};

async function answer(client: Socket) {
  const stream = client.asStream();
  const [, path = ''] = (await stream.readline()).toString().split(' ');
  for await (const line of stream) if (line.length <= 2) break;
  if (path === '/coelacanth') await sleep(3600);
  const html = site[path];
  await stream.write(`HTTP/1.0 ${html === undefined ? '404 Not Found' : '200 OK'}\r\n\r\n${html ?? ''}`);
}

async function main(start?: string) {
  if (start === undefined) {
    const listening = tcpServerSocket('127.0.0.1', 0);
    await listening.ready();
    await spawn({ daemon: true }, runServer, listening, answer);
    const [, port] = listening.getsockname() as [string, number];
    start = `http://127.0.0.1:${port}/`;
  }
  const outcomes = await crawl(start);
  for (const [page, outcome] of [...outcomes].sort()) console.log(new URL(page).pathname.padEnd(12), outcome);
}

await run(main, process.argv[2]);

/* Prints:
/            98 characters
/carp        68 characters
/coelacanth  does not come
/eel         63 characters
/pond        89 characters
/sea         status 404
*/
