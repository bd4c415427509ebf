/*
 * The dashboard's web server. It shows what a program does, and can stop its tasks: so it listens on loopback only, and does
 * nothing for a request that lacks the token of its own URL, or that some other page has sent (Host, Origin).
 */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Link } from '../link.ts';
import { Feed } from './feed.ts';
import { page } from './page.ts';

/** A dashboard that runs. */
export interface Dashboard {
  /** What to open, token included. */
  url: string;
  close(): Promise<void>;
}

/** Bytes that may wait for a page that does not read. */
const BACKLOG = 64 << 20;

/** Serves the dashboard of whoever answers at `link`; port 0 for any that is free. */
export async function serveDashboard(link: Link, port = 0): Promise<Dashboard> {
  const feed = new Feed(link);
  const token = randomBytes(18).toString('base64url');
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: Error) => {
      // swallows: no task runs in this program; the page shows it.
      if (response.headersSent) response.destroy();
      else json(response, 502, { error: error.message });
    });
  });
  await listen(server, port);
  const own = (server.address() as AddressInfo).port;
  const hosts = [`127.0.0.1:${own}`, `localhost:${own}`];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host = '', origin } = request.headers;
    // A name that somebody has pointed at this machine, or a page from elsewhere.
    if (!hosts.includes(host) || (origin !== undefined && !hosts.some((it) => origin === `http://${it}`)))
      return json(response, 403, { error: 'The dashboard is to be had at its own address only.' });
    const url = new URL(request.url ?? '/', `http://${host}`);
    const given = request.headers['x-curio-token'] ?? url.searchParams.get('token') ?? '';
    if (!same(String(given), token))
      return json(response, 401, {
        error: 'Open the address that curio dashboard has printed, with its token.',
      });
    const id = Number(url.searchParams.get('id'));
    const route = `${request.method} ${url.pathname}`;
    if (route === 'GET /') return show(response);
    if (route === 'GET /events') return stream(request, response, feed);
    if (route !== 'GET /where' && route !== 'POST /cancel')
      return json(response, 404, { error: 'There is nothing here.' });
    if (!Number.isSafeInteger(id) || id < 1)
      return json(response, 400, { error: 'That is not the number of a task.' });
    // The token in the address may be known to the browser's history; what changes something wants it from the page.
    if (request.method === 'POST' && request.headers['x-curio-token'] === undefined)
      return json(response, 401, { error: 'Cancelling takes the token in a header.' });
    const { text } = await link.ask(`${url.pathname.slice(1)} ${id}`);
    json(response, 200, { text });
  }

  return {
    url: `http://127.0.0.1:${own}/?token=${token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}

function same(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const ALWAYS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
};

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { ...ALWAYS, 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function show(response: ServerResponse): void {
  const nonce = randomBytes(12).toString('base64');
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'`;
  response
    .writeHead(200, {
      ...ALWAYS,
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
    })
    .end(page(nonce));
}

/** Server-sent events, for as long as the page is open. */
function stream(request: IncomingMessage, response: ServerResponse, feed: Feed): void {
  response.writeHead(200, { ...ALWAYS, 'content-type': 'text/event-stream' });
  const stop = feed.add((message) => {
    response.write(`data: ${JSON.stringify(message)}\n\n`);
    // It can open the page again, and is told everything then.
    if (response.writableLength > BACKLOG) response.destroy();
  });
  request.once('close', stop);
}
