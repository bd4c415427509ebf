// The dashboard's server: who may ask it what, and what its pages are told. test/browser has the page itself.

import { request } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { Event, Lock, Queue, run, sleep, spawn, type Task } from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { listeningPorts } from '../../src/cli/attach/target.ts';
import { Feed, type Message } from '../../src/cli/dashboard/feed.ts';
import { serveDashboard } from '../../src/cli/dashboard/server.ts';
import { connectToMonitor } from '../../src/cli/link.ts';
import { Curio } from '../kit/curio.ts';
import { type Here, linkToHere } from '../kit/looking.ts';
import { recorder } from '../kit/recorder.ts';
import { Program } from '../kit/terminals.ts';
import { thrownBy } from '../kit/virtual.ts';

interface Reply {
  status: number;
  body: string;
  headers: Record<string, unknown>;
}

interface Ask {
  method?: string;
  headers?: Record<string, string>;
}

async function serving() {
  const link = linkToHere();
  const dashboard = await serveDashboard(link);
  onTestFinished(() => dashboard.close());
  const url = new URL(dashboard.url);
  const token = url.searchParams.get('token')!;
  // Not fetch(), which lets nobody choose Host and Origin.
  const ask = (path: string, { method = 'GET', headers = {} }: Ask = {}) =>
    new Promise<Reply>((resolve, reject) => {
      const options = { host: '127.0.0.1', port: url.port, path, method, headers };
      const sent = request(options, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => {
          body += text;
        });
        response.on('end', () => resolve({ status: response.statusCode!, body, headers: response.headers }));
      });
      sent.on('error', reject).end();
    });
  return { link, token, port: url.port, ask };
}

describe('the dashboard', () => {
  test('gives its page to who has its address, and lets it load nothing from elsewhere', async () => {
    const { ask, token } = await serving();
    const { status, body, headers } = await ask(`/?token=${token}`);
    expect(status).toBe(200);
    expect(body).toMatch(/^<!doctype html>/);
    const nonce = /script-src 'nonce-([^']+)'/.exec(String(headers['content-security-policy']))![1]!;
    expect(body).toContain(`<script nonce="${nonce}">`);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'/);
    expect(body).not.toMatch(/https?:\/\//);
    // Nor is there anything that browsers would do with the token.
    expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
  });

  test('gives nothing to who lacks the token, or has another', async () => {
    const { ask, token, link } = await serving();
    for (const path of [
      '/',
      '/events',
      '/where?id=1',
      `/?token=${token}x`,
      `/?token=${token.slice(1)}`,
      '/?token=',
    ]) {
      expect(await ask(path), path).toMatchObject({ status: 401 });
    }
    expect(await ask('/cancel?id=1', { method: 'POST' })).toMatchObject({ status: 401 });
    expect(link.asked).toEqual([]);
  });

  test('gives nothing to a page from elsewhere, nor under another name', async () => {
    const { ask, token, port, link } = await serving();
    const path = `/where?id=1&token=${token}`;
    for (const headers of [
      { host: 'evil.example' },
      { host: `evil.example:${port}` },
      { host: '127.0.0.1' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `https://127.0.0.1:${port}` },
      { origin: `http://127.0.0.1:${Number(port) + 1}` },
    ]) {
      expect(await ask(path, { headers: headers as unknown as Record<string, string> })).toMatchObject({
        status: 403,
      });
    }
    expect(link.asked).toEqual([]);
    for (const name of ['127.0.0.1', 'localhost']) {
      const headers = { host: `${name}:${port}`, origin: `http://${name}:${port}` };
      expect(await ask(path, { headers })).toMatchObject({ status: 200 });
    }
  });

  test('takes only commands of its own, with the number of a task, and cancels by POST with the token in a header', async () => {
    const { ask, token, link } = await serving();
    const headers = { 'x-curio-token': token };
    for (const id of ['', '0', '-1', '1.5', 'x', '1%20kill%202', '99999999999999999999']) {
      expect(await ask(`/where?id=${id}`, { headers }), id).toMatchObject({ status: 400 });
    }
    expect(await ask('/kill?id=1', { headers, method: 'POST' })).toMatchObject({ status: 404 });
    expect(await ask('/cancel?id=1', { headers })).toMatchObject({ status: 404 });
    expect(await ask(`/cancel?id=1&token=${token}`, { method: 'POST' })).toMatchObject({ status: 401 });
    expect(await ask('/../../etc/passwd', { headers })).toMatchObject({ status: 404 });
    expect(link.asked).toEqual([]);
    expect(await ask('/cancel?id=12345678', { headers, method: 'POST' })).toMatchObject({
      status: 200,
      body: '{"text":"No task 12345678"}',
    });
    expect(link.asked).toEqual(['cancel 12345678']);
  });

  test('says so when the program does not answer', async () => {
    const { ask, token, link } = await serving();
    link.ask = () => Promise.reject(new Error('gone'));
    expect(await ask('/where?id=1', { headers: { 'x-curio-token': token } })).toMatchObject({
      status: 502,
      body: '{"error":"gone"}',
    });
  });
});

describe('what a page is told', () => {
  /** The messages of a feed, one by one. */
  function listening(link: Here) {
    const messages: Message[] = [];
    let wake = () => {};
    const feed = new Feed(link);
    const stop = feed.add((message) => {
      messages.push(message);
      wake();
    });
    onTestFinished(stop);
    return {
      feed,
      stop,
      async next(): Promise<Exclude<Message, { lost: string }> & { lost?: string }> {
        while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        return messages.shift() as never;
      },
    };
  }

  test('is everything first, and then what has changed', () =>
    run({ logger: recorder() }, async function main() {
      const event = new Event();
      const waiter = await spawn(async function waiter() {
        await event.wait();
        await new Queue().get();
      });
      const brief = await spawn({ name: 'brief' }, () => event.wait());
      await sleep(0);
      const { next, feed } = listening(linkToHere());
      const ids = (message: { tasks: { id: number }[] }) => message.tasks.map(({ id }) => id);
      const first = await next();
      expect(first.full).toBe(true);
      expect(ids(first)).toEqual([waiter.id - 1, waiter.id, brief.id]);
      expect(first.waits).toHaveLength(2);
      await event.set();
      await brief.join();
      let second = await next();
      while (second.gone.length === 0) second = await next();
      expect(second).toMatchObject({ full: false, gone: [brief.id] });
      expect(second.tasks.find(({ id }) => id === waiter.id)).toMatchObject({ state: 'QUEUE_GET' });
      // A page that comes later is told everything, too.
      const later = await new Promise<Message>((resolve) => onTestFinished(feed.add(resolve)));
      expect(later).toMatchObject({ full: true, gone: [] });
      await waiter.cancel();
    }));

  test('has the circles of a deadlock', () =>
    run({ clock: new VirtualClock(), logger: recorder() }, async function main() {
      const [a, b] = [new Lock(), new Lock()];
      const both = (first: Lock, second: Lock) => async () => {
        await first.acquire();
        await sleep(0.1);
        await second.acquire();
      };
      const tasks: Task[] = [await spawn(both(a, b)), await spawn(both(b, a))];
      await sleep(1);
      const { next, stop } = listening(linkToHere());
      expect((await next()).circles).toEqual([tasks.map(({ id }) => id)]);
      stop();
    }));

  test('is that the program has gone, and nothing more is asked then', async () => {
    const link = linkToHere();
    link.ask = () => Promise.reject(new Error('gone'));
    const { next } = listening(link);
    expect(await next()).toEqual({ lost: 'gone' });
  });
});

describe('the line to a monitor', () => {
  /** Something that behaves like a monitor, or does not. */
  function monitor(talk: (socket: Socket) => void): Promise<number> {
    return new Promise((resolve) => {
      const server = createServer(talk).listen(0, '127.0.0.1', () => {
        resolve((server.address() as { port: number }).port);
      });
      onTestFinished(() => void server.close());
    });
  }

  test('skips what is said to people, and puts answers together that come in pieces', async () => {
    const port = await monitor((socket) => {
      socket.write('\nCurio Monitor: 3 tasks running\ncurio > ');
      let n = 0;
      socket.setEncoding('utf8').on('data', (text: string) => {
        for (const line of text.trim().split('\n')) {
          const { command } = JSON.parse(line);
          const reply = `${n++ === 0 ? '\n' : ''}${JSON.stringify({ text: command, data: 'ä'.repeat(100_000) })}\n`;
          const bytes = Buffer.from(reply);
          socket.write(bytes.subarray(0, 1001));
          socket.write(bytes.subarray(1001));
        }
      });
    });
    const link = await connectToMonitor('127.0.0.1', port);
    const answers = await Promise.all(['ps', 'where 1', 'waiters'].map((command) => link.ask(command)));
    expect(answers.map(({ text }) => text)).toEqual(['ps', 'where 1', 'waiters']);
    expect(new Set(answers.map(({ data }) => data))).toEqual(new Set(['ä'.repeat(100_000)]));
    await link.close();
  });

  test('fails whoever still waits when it breaks, and whoever asks later', async () => {
    const port = await monitor((socket) => {
      socket.on('data', () => socket.destroy());
    });
    const link = await connectToMonitor('127.0.0.1', port);
    expect(await thrownBy(link.ask('ps'))).toMatchObject({
      message: expect.stringMatching(/closed|reset|ECONN/i),
    });
    expect(await thrownBy(link.ask('ps'))).toBeInstanceOf(Error);
  });

  test('says what to do when there is none', async () => {
    const port = await monitor(() => {});
    const error = await thrownBy(connectToMonitor('127.0.0.2', port));
    expect(String(error)).toMatch(/No monitor answers at 127\.0\.0\.2:\d+ .*ECONNREFUSED.* CURIOMONITOR=1/);
  });
});

describe('curio dashboard', () => {
  test.runIf(process.platform === 'linux')(
    'looks into a process that nobody prepared, and leaves nothing behind',
    { timeout: 120_000 },
    async () => {
      await using program = new Program('unprepared');
      await program.says('up');
      const pid = program.child.pid!;
      const dashboard = new Curio(['dashboard', pid]);
      const [, url] = await dashboard.says(/The dashboard is at (\S+)\n/);
      const page = new URL(url!);
      const events = await fetch(new URL(`/events${page.search}`, page));
      const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      while (!text.endsWith('\n\n')) text += (await reader.read()).value;
      expect(JSON.parse(text.split('\n')[0]!.slice('data: '.length))).toMatchObject({
        pid,
        tasks: [{ name: 'main' }, { name: 'napper' }, { name: 'waiter', waitingOn: 'Lock#1' }],
      });
      const headers = { 'x-curio-token': page.searchParams.get('token')! };
      const ask = async (path: string, method = 'GET') =>
        ((await (await fetch(new URL(path, page), { method, headers })).json()) as { text: string }).text;
      expect(await ask('/where?id=2')).toMatch(/line \d+, in napper/);
      expect(await ask('/cancel?id=3', 'POST')).toBe('Cancelling task 3');
      dashboard.child.kill('SIGINT');
      expect(await dashboard.over).toMatchObject({ code: 0, err: '' });
      expect(listeningPorts(pid)).toEqual(new Set());
    },
  );
});
