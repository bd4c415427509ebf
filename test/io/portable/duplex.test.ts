// Streams of Node's and of the web's to their end: what closing them still has to write.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { createGzip, gunzipSync } from 'node:zlib';
import { gather, run, sleep, spawn, TaskCancelled } from 'curio';
import { FileStream } from 'curio/io';
import { expect, test } from 'vitest';

test('closing ends a stream of Node’s, and waits until it has finished', () =>
  run(async () => {
    const events: string[] = [];
    const writable = new Writable({
      write: (_chunk, _encoding, done) => setTimeout(done, 10),
      final: (done) =>
        setTimeout(() => {
          events.push('finished');
          done();
        }, 10),
    });
    const stream = new FileStream(writable);
    await stream.write('x');
    await stream.close();
    events.push('closed');
    expect(events).toEqual(['finished', 'closed']);
  }));

test('what a compressor writes at its end is not lost', () =>
  run(async () => {
    const gzip = createGzip();
    const chunks: Buffer[] = [];
    const end = once(gzip, 'end');
    gzip.on('data', (chunk) => chunks.push(chunk));
    const stream = new FileStream(gzip);
    await stream.write('compressed');
    await stream.close();
    await end;
    expect(String(gunzipSync(Buffer.concat(chunks)))).toBe('compressed');

    const web = new CompressionStream('gzip');
    const out = new FileStream(web.writable);
    const input = new FileStream(web.readable);
    const [, bytes] = await gather([
      async () => {
        await out.write('on the web');
        await out.close();
      },
      () => input.readall(),
    ]);
    expect(String(gunzipSync(bytes))).toBe('on the web');
    await input.close();
  }));

test('a transformation that nobody else reads is closed without waiting for readers', () =>
  run(async () => {
    const through = new PassThrough({ highWaterMark: 16 });
    const stream = new FileStream(through);
    await stream.write('more than it holds at a time');
    await stream.close();
    expect(through.destroyed).toBe(true);
  }));

test('an HTTP response is whole when its stream has been closed', () =>
  run(async () => {
    const answers: ServerResponse[] = [];
    const server = createServer((_request, response) => answers.push(response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const body = fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).then((got) =>
      got.text(),
    );
    await once(server, 'request');
    const stream = new FileStream(answers[0] as ServerResponse);
    await stream.write('hello');
    await stream.close();
    expect(await body).toBe('hello');
    server.closeAllConnections();
    server.close();
  }));

test('what goes wrong at the end of a stream comes out of its closing', () =>
  run(async () => {
    const writable = new Writable({
      write: (_chunk, _encoding, done) => done(),
      final: (done) => done(Object.assign(new Error('disk full'), { code: 'ENOSPC' })),
    });
    const stream = new FileStream(writable);
    await stream.write('x');
    await expect(stream.close()).rejects.toMatchObject({ code: 'ENOSPC' });
    await stream.close();
  }));

test('a cancelled closing has closed the stream', () =>
  run(async () => {
    let finish = () => {};
    const writable = new Writable({
      write: (_chunk, _encoding, done) => done(),
      final: (done) => {
        finish = done;
      },
    });
    const stream = new FileStream(writable);
    const closer = await spawn(() => stream.close());
    await sleep(0);
    await closer.cancel();
    expect(closer.exception).toBeInstanceOf(TaskCancelled);
    await expect(stream.write('y')).rejects.toMatchObject({ code: 'EBADF' });
    finish();
    await once(writable, 'close');
  }));
