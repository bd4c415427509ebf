// Every file in examples/ is run, in a process of its own as its reader would run it, and its complete output is
// compared with what its own comment says. Those that wait for somebody (a signal, a client) are given somebody.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { run, runServer, spawn as spawnTask, tcpServerSocket } from 'curio';
import type { Socket as CurioSocket } from 'curio/socket';
import { describe, expect, onTestFinished, test } from 'vitest';
import { root } from '../scripts/entries.mjs';
import { type DriverName, drivers } from './kit/drivers.ts';
import { type Ending, Program, type ProgramOptions } from './kit/program.ts';

const files = readdirSync(`${root}examples`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort();

// ---- What an example says it prints -------------------------------------------------------

/** What stands in the comment `/* Prints…:` (to standard output) or `/* Warns…:` (to standard error) of an example. */
function announced(file: string, word: 'Prints' | 'Warns'): string {
  const source = readFileSync(`${root}examples/${file}`, 'utf8');
  const block = new RegExp(`^/\\* ${word}\\b.*:\\n((?:.*\\n)*?)\\*/$`, 'm').exec(source);
  return block?.[1] ?? '';
}

/** Takes away what differs from run to run and from machine to machine, and nothing else. */
function normal(output: string): string {
  return (
    output
      .replaceAll(root.slice(0, -1), '…')
      .replace(/^( {4}at .*\n)+/gm, '') // the frames of a stack, Node's and the library's among them
      .replace(/^(\w+ PID) \d+$/gm, '$1 36069')
      .replace(/:\d+\.\d{6}:/g, ':0.000000:') // the time stamps of debuggers
      // How long something computes is up to the machine as well.
      .replace(/ran for \d+\.\d+ s/g, 'ran for 0.150 s')
      .replace(/(Long blocking in \w+): \d+\.\d/g, '$1: 1.0')
  );
}

function expectAnnounced(file: string, { code, signal, stdout, stderr }: Ending): void {
  expect(normal(stderr)).toBe(normal(announced(file, 'Warns')));
  expect(normal(stdout)).toBe(normal(announced(file, 'Prints')));
  expect({ code, signal }).toEqual({ code: 0, signal: null });
}

// ---- Those who come -----------------------------------------------------------------------

/** A client made of Node's own sockets. */
class Client {
  readonly #socket: Socket;
  readonly port: number;
  readonly #closed: Promise<unknown>;
  #received = '';
  #over = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = socket.localPort!;
    socket.setEncoding('utf8');
    socket.on('data', (data: string) => {
      this.#received += data;
    });
    socket.once('close', () => {
      this.#over = true;
    });
    this.#closed = once(socket, 'close');
    // What has gone wrong is told to whoever waits next.
    this.#closed.catch(() => {});
    onTestFinished(() => void socket.destroy());
  }

  static async connect(port: number): Promise<Client> {
    const socket = createConnection(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Client(socket);
  }

  /** Reads no more. */
  pause(): void {
    this.#socket.pause();
  }

  send(data: string): void {
    this.#socket.write(data);
  }

  /** Takes `text` from what has been received, waiting for it if need be; anything else is an error. */
  async receives(text: string): Promise<void> {
    while (this.#received.length < text.length && !this.#over) {
      await Promise.race([once(this.#socket, 'data'), this.#closed]);
    }
    expect(this.#received.slice(0, text.length)).toBe(text);
    this.#received = this.#received.slice(text.length);
  }

  /** Takes all that has been received up to `end`, and that too, waiting for it if need be. */
  async receivesUntil(end: string): Promise<string> {
    while (!this.#received.includes(end) && !this.#over) {
      await Promise.race([once(this.#socket, 'data'), this.#closed]);
    }
    const length = this.#received.indexOf(end) + end.length;
    expect(length, 'closed before').toBeGreaterThanOrEqual(end.length);
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return taken;
  }

  /** Says everything has been sent, and gives what still comes. */
  async ends(): Promise<string> {
    this.#socket.end();
    await this.#closed;
    return this.#received;
  }

  /** Waits for the server to close the connection, and gives what came before. */
  async closed(): Promise<string> {
    await this.#closed;
    return this.#received;
  }
}

const pythonClient = `
import socket, sys
with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as sock:
    print(sock.getsockname()[1])
    for line in (b'Hello\\n', b'Is anyone there?\\n'):
        sock.sendall(line)
        got = b''
        while len(got) < len(line):
            got += sock.recv(100)
        print(got.decode(), end='')
    sock.shutdown(socket.SHUT_WR)
    print(sock.recv(100))
`;

const hasNetcat = (() => {
  try {
    execFileSync('which', ['nc'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Types a line into `nc`, and looks at the answer. */
async function netcat(port: number): Promise<void> {
  const nc = spawn('nc', ['127.0.0.1', String(port)]);
  onTestFinished(() => void nc.kill());
  nc.stdin.write('Hello from nc\n');
  const [data] = (await once(nc.stdout, 'data')) as [Buffer];
  expect(data.toString()).toBe('Hello from nc\n');
  nc.kill();
}

const connection = (port: number | string) => `Connection from [ '127.0.0.1', ${port} ]\n`;
const closed = 'Connection closed\n';

/** Several clients at once, one after the other, in several languages; then Ctrl-C. */
async function playEcho({ start }: Play, greeting = ''): Promise<void> {
  const program = start({ args: ['0'] });
  const port = await program.port();
  let expected = greeting;

  // Two at once, each with its own conversation.
  const one = await Client.connect(port);
  const two = await Client.connect(port);
  one.send('Hello\n');
  await one.receives('Hello\n');
  two.send('Is anyone there?\n');
  await two.receives('Is anyone there?\n');
  one.send('Still here\n');
  await one.receives('Still here\n');
  expect(await two.ends()).toBe('');
  await program.prints(closed);
  // Much at once, and nothing at the end is lost.
  const much = 'All work and no play makes Jack a dull boy.\n'.repeat(5000);
  one.send(much);
  expect(await one.ends()).toBe(much);
  expected += connection(one.port) + connection(two.port) + closed + closed;

  const python = spawn('python3', ['-c', pythonClient, String(port)]);
  const [said, complaints] = await Promise.all([text(python.stdout), text(python.stderr)]);
  expect(complaints).toBe('');
  const [pythonPort, ...lines] = said.trimEnd().split('\n');
  expect(lines).toEqual(['Hello', 'Is anyone there?', "b''"]);
  expected += connection(pythonPort!) + closed;

  if (hasNetcat) {
    await netcat(port);
    expected = `${expected}Connection from [ '127.0.0.1', `;
  }
  await program.prints(expected);
  program.signal('SIGINT');
  const ending = await program.ended;
  expect(ending.stderr).toBe('');
  expect(ending.signal).toBe('SIGINT');
  if (!hasNetcat) expect(ending.stdout).toBe(expected);
}

/** The same for a server that wants a socket that blocks, which only one of the drivers has. */
async function playBlocking(play: Play): Promise<void> {
  if (play.driver === 'posix') return playEcho(play);
  const program = play.start({ args: ['0'] });
  const client = await Client.connect(await program.port());
  client.send('Hello\n');
  expect(await client.closed()).toBe('');
  expect(program.stderr).toContain('NotSupportedError');
}

/** Many clients that come at once, and each talk when all of them have come. */
async function playCrowd({ start }: Play, size: number): Promise<void> {
  const program = start({ args: ['0'] });
  const port = await program.port();
  const clients = await Promise.all(Array.from({ length: size }, () => Client.connect(port)));
  await Promise.all(
    clients.map(async (client, i) => {
      client.send(`I am ${i}\n`);
      await client.receives(`I am ${i}\n`);
    }),
  );
  expect(await Promise.all(clients.map((client) => client.ends()))).toEqual(clients.map(() => ''));
  while (program.stdout.split(closed).length <= size) await program.more();
  program.signal('SIGINT');
  expect((await program.ended).stderr).toBe('');
}

const certificates = `${root}test/kit/certificates/`;

/** Whether a program of the machine is there. */
function has(command: string): boolean {
  return spawnSync(command, ['--version']).error === undefined;
}

/** Asks a TLS server for its page with another program, and gives what that wrote. */
async function ask(command: string, args: string[], input = ''): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill());
  child.stdin.write(input);
  return await text(child.stdout);
}

const page = /^If you're seeing this, it probably worked\. Yay!\n\w+, .* GMT\n$/m;

/** A folder with a program in it, to be put in front of PATH. */
function programFolder(name: string, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'curio-examples-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), script, { mode: 0o755 });
  return folder;
}

// ---- The plays ----------------------------------------------------------------------------

interface Play {
  file: string;
  driver: DriverName;
  start(options?: ProgramOptions): Program;
}

/** Examples that do not just run to their end; each with what must happen to it. */
const plays: Record<string, Record<string, (play: Play) => Promise<void>>> = {
  'tutorial/02-parent-and-kid.ts': {
    'hangs until Ctrl-C': async ({ file, start }) => {
      const program = start();
      await program.prints("We're leaving!\n");
      program.signal('SIGINT');
      const ending = await program.ended;
      expect(ending.signal).toBe('SIGINT');
      expectAnnounced(file, { ...ending, code: 0, signal: null });
    },
  },
  'tutorial/07-signal.ts': {
    'goes on when SIGHUP comes': async ({ file, start }) => {
      const program = start();
      await program.prints('Building');
      program.signal('SIGHUP');
      const ending = await program.ended;
      expect(ending.stdout).toContain(`Parent PID ${program.pid}\n`);
      expectAnnounced(file, ending);
    },
  },
  'tutorial/08-hogging-kid.ts': {
    'hears of the SIGHUP when the kid is done': async ({ file, start }) => {
      const program = start({ args: ['36'] });
      await program.prints('Building');
      program.signal('SIGHUP');
      expectAnnounced(file, await program.ended);
    },
  },
  'tutorial/09-number-crunching.ts': {
    'hears of the SIGHUP while the kid is busy': async ({ file, start }) => {
      const program = start();
      await program.prints('Building');
      program.signal('SIGHUP');
      expectAnnounced(file, await program.ended);
    },
  },
  'programs/agents.ts': {
    'lets programs run for a second of real time': async ({ file, start }) => {
      expectAnnounced(file, await start({ fast: false }).ended);
    },
  },
  'programs/supervisor.ts': {
    'starts again what crashes, and ends all on Ctrl-C': async ({ start }) => {
      const folder = mkdtempSync(join(tmpdir(), 'curio-examples-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const args = [
        'good=echo fine',
        `bad=cd ${folder}; mkdir tried || exit 3; exit 4`,
        'quick=echo ready; exec sleep 3600',
        'deaf=trap "" TERM; echo ready; while :; do sleep 1; done',
      ];
      const program = start({ args, fast: false });
      const expected = [
        'good: fine',
        'good is done',
        'bad has ended with 4, and is started again in 1 s',
        'bad has ended with 3, and is started again in 2 s',
        'quick: ready',
        'deaf: ready',
      ];
      for (const line of expected) await program.prints(`${line}\n`);
      program.signal('SIGINT');
      const { code, stdout, stderr } = await program.ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expected.push('bad: mkdir: …', 'quick was ended: -15', 'deaf was ended: -9');
      const lines = stdout.trimEnd().split('\n');
      expect(lines.map((line) => line.replace(/mkdir: .*/, 'mkdir: …')).sort()).toEqual(expected.sort());
    },
    'says how programs are given': async ({ start }) => {
      const { code, stderr } = await start({ args: ['sleep 3600'] }).ended;
      expect(code).toBe(1);
      expect(stderr).toContain('Programs are given as name=command, not as sleep 3600');
    },
  },
  'manual/debuggers.ts': {
    'traces, in real time': async ({ file, start }) => {
      expectAnnounced(file, await start({ fast: false }).ended);
    },
  },
};

/** The same for those that use sockets, which are played on each driver. */
const networkPlays: typeof plays = {
  'tutorial/11-echo-server.ts': {
    'echoes to everybody': (play) => playEcho(play, `Server listening at [ '', 0 ]\n`),
    'serves a thousand who come together': (play) => playCrowd(play, 1000),
  },
  'tutorial/12-tcp-server.ts': {
    'echoes to everybody': playEcho,
    'serves a hundred who come together': (play) => playCrowd(play, 100),
  },
  'tutorial/13-stream-echo-server.ts': { 'echoes to everybody': playEcho },
  'tutorial/14-line-echo-server.ts': {
    'echoes to everybody': playEcho,
    'echoes line by line': async ({ start }) => {
      const program = start({ args: ['0'] });
      const client = await Client.connect(await program.port());
      client.send('first line\nsecond');
      await client.receives('first line\n');
      client.send(' line\nno newline');
      await client.receives('second line\n');
      expect(await client.ends()).toBe('no newline');
    },
  },
  'tutorial/15-managed-echo-server.ts': {
    'starts again on SIGHUP, and ends on Ctrl-C': async ({ start }) => {
      const program = start({ args: ['0'] });
      const first = await program.port();
      const one = await Client.connect(first);
      const two = await Client.connect(first);
      one.send('Hello\n');
      await one.receives('Hello\n');
      two.send('Hello too\n');
      await two.receives('Hello too\n');

      program.signal('SIGHUP');
      expect(await one.closed()).toBe('Server going down\n');
      expect(await two.closed()).toBe('Server going down\n');

      await program.prints('Server shutting down\nStarting the server\n');
      const three = await Client.connect(await program.port());
      three.send('Hello again\n');
      await three.receives('Hello again\n');
      expect(await three.ends()).toBe('');
      const four = await Client.connect(await program.port());
      four.send('Last\n');
      await four.receives('Last\n');

      program.signal('SIGINT');
      expect(await four.closed()).toBe('Server going down\n');
      const { code, stdout, stderr } = await program.ended;
      expect(stderr).toBe('');
      expect(stdout).toBe(
        `Server PID ${program.pid}\n` +
          'Starting the server\n' +
          connection(one.port) +
          connection(two.port) +
          'Server shutting down\n' +
          'Starting the server\n' +
          connection(three.port) +
          closed +
          connection(four.port) +
          'Server shutting down\n',
      );
      expect(code).toBe(0);
    },
  },
  'tutorial/16-open-connection.ts': {
    'talks to a server of Curio’s own': async ({ start }) => {
      await run(async () => {
        const sock = tcpServerSocket('127.0.0.1', 0);
        await sock.ready();
        const [, port] = sock.getsockname() as [string, number];
        const server = await spawnTask(runServer, sock, async (client: CurioSocket) => {
          for await (const line of client.asStream()) if (String(line) === '\r\n') break;
          await client.sendall('HTTP/1.0 204 No Content\r\n\r\n');
        });
        const ending = await start({ args: ['127.0.0.1', String(port)] }).ended;
        expect(ending).toMatchObject({ code: 0, stdout: 'HTTP/1.0 204 No Content\r\n\r\n\n', stderr: '' });
        await server.cancel();
      });
    },
    'shows what the server answers': async ({ start }) => {
      let request = '';
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.setEncoding('latin1').on('data', (data: string) => {
          request += data;
          if (request.endsWith('\r\n\r\n')) socket.end('HTTP/1.0 200 OK\r\n\r\nGr\xfc\xdfe\r\n', 'latin1');
        });
      });
      onTestFinished(() => void server.close());
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const ending = await start({ args: ['127.0.0.1', String(port)] }).ended;
      expect(ending).toEqual({
        code: 0,
        signal: null,
        stdout: 'HTTP/1.0 200 OK\r\n\r\nGrüße\r\n\n',
        stderr: '',
      });
      expect(request).toBe('GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n');
    },
  },
  'tutorial/17-open-connection-tls.ts': {
    'shows what the server answers, or why it is not to be trusted': async ({ start, driver }) => {
      const server = new Program('examples/tutorial/18-tls-server.ts', {
        args: ['0', `${certificates}localhost.pem`, `${certificates}localhost-key.pem`],
        env: { CURIO_DRIVER: driver },
        fast: false,
      });
      const port = String(await server.port());
      const env = { NODE_EXTRA_CA_CERTS: `${certificates}ca.pem` };
      const good = await start({ args: ['localhost', port], env, fast: false }).ended;
      expect(good).toMatchObject({ code: 0, stderr: '' });
      expect(good.stdout).toMatch(/^HTTP\/1\.0 200 OK\r\nContent-type: text\/plain\r\n\r\nIf you're seeing/);
      expect(good.stdout).toMatch(page);

      const bad = await start({ args: ['localhost', port], fast: false }).ended;
      expect(bad).toMatchObject({ code: 0, stderr: '' });
      expect(bad.stdout).toMatch(/^Not safe: .*localhost/);
      expect(server.stdout).toBe('GET / HTTP/1.0\nHost: localhost\n');
      server.signal('SIGINT');
      expect((await server.ended).stderr).not.toContain('Task Crash');
    },
  },
  'tutorial/18-tls-server.ts': {
    'answers curl and openssl, and goes on after who does not speak TLS': async ({ start }) => {
      const args = ['0', `${certificates}rsa.pem`, `${certificates}rsa-key.pem`];
      const server = start({ args, fast: false });
      const port = await server.port();
      const plain = await Client.connect(port);
      plain.send('GET / HTTP/1.0\r\n\r\n');
      await plain.closed();

      const request = 'GET /openssl HTTP/1.0\r\n\r\n';
      const trust = [
        '-CAfile',
        `${certificates}ca.pem`,
        '-verify_return_error',
        '-verify_hostname',
        'localhost',
      ];
      const connect = ['s_client', '-connect', `127.0.0.1:${port}`, '-quiet', ...trust];
      if (has('openssl')) expect(await ask('openssl', connect, request)).toMatch(page);

      const url = `https://localhost:${port}/curl`;
      if (has('curl')) expect(await ask('curl', ['--cacert', `${certificates}ca.pem`, url])).toMatch(page);

      server.signal('SIGINT');
      const { stdout, signal } = await server.ended;
      expect(signal).toBe('SIGINT');
      if (has('openssl')) expect(stdout).toContain('GET /openssl HTTP/1.0\n');
      if (has('curl')) expect(stdout).toMatch(/^GET \/curl HTTP\/1\.1\nHost: localhost:\d+\n/m);
    },
  },
  'tutorial/19-blocking.ts': { 'echoes on a socket that blocks, where there is one': playBlocking },
  'tutorial/20-blocking-in-thread.ts': { 'echoes on a socket that blocks, where there is one': playBlocking },
  'tutorial/21-ping.ts': {
    'prints each line when it comes, and the end': async ({ start }) => {
      const script =
        '#!/bin/sh\necho "PING $1"\nread answer < "$PING_HOLD"\necho "64 bytes: $answer"\nexit 1\n';
      const folder = programFolder('ping', script);
      const hold = join(folder, 'hold');
      execFileSync('mkfifo', [hold]);
      const env = { PATH: `${folder}${delimiter}${process.env.PATH}`, PING_HOLD: hold };
      const program = start({ args: ['somewhere'], env });
      await program.prints('Got: PING somewhere\n');
      expect(program.stdout).toBe('Got: PING somewhere\n');
      writeFileSync(hold, 'time=15 ms\n');
      expect(await program.ended).toEqual({
        code: 0,
        signal: null,
        stdout: 'Got: PING somewhere\nGot: 64 bytes: time=15 ms\nping ended with 1\n',
        stderr: '',
      });
    },
  },
  'programs/crawler.ts': {
    'crawls a site of its own': async ({ file, start }) => {
      expectAnnounced(file, await start({ fast: false }).ended);
    },
  },
  'programs/proxy.ts': {
    'stands between a client and a server, and goes on when there is none': async ({ start }) => {
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.setEncoding('utf8').on('data', (data: string) => socket.write(data.toUpperCase()));
        socket.on('end', () => socket.end('bye\n'));
      });
      onTestFinished(() => void server.close());
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      // In real time: the server behind has ten seconds of that to let the proxy in.
      const program = start({ args: ['0', '127.0.0.1', String(port)], fast: false });
      const proxy = await program.port();
      const client = await Client.connect(proxy);
      client.send('hello\n');
      await client.receives('HELLO\n');
      expect(await client.ends()).toBe('bye\n');
      await program.prints('127.0.0.1 has sent 6 bytes, and received 10\n');

      server.close();
      await once(server, 'close');
      const late = await Client.connect(proxy);
      expect(await late.closed()).toBe('');
      await program.prints('127.0.0.1 was cut off: connect ECONNREFUSED 127.0.0.1');
      program.signal('SIGINT');
      expect((await program.ended).stderr).toBe('');
    },
  },
  'programs/chat.ts': {
    'lets everybody hear, and throws out who does not listen': async ({ start }) => {
      const program = start({ args: ['0'] });
      const port = await program.port();
      const join = async (name: string, others: string) => {
        const client = await Client.connect(port);
        await client.receives('Who are you?\n');
        client.send(`${name}\n`);
        await client.receives(`Here are: ${others}\n`);
        return client;
      };
      const ann = await join('ann', 'nobody');
      const bob = await join('bob', 'ann');
      await ann.receives('bob has come\n');
      bob.send('hi\n');
      await ann.receives('bob: hi\n');
      const deaf = await join('deaf', 'ann, bob');
      deaf.pause();
      await bob.receives('deaf has come\n');
      const speech = `${`${'blah '.repeat(4000)}\n`.repeat(100)}are you listening?\n`;
      for (let heard = ''; !heard.includes('deaf has gone\n'); ) {
        ann.send(speech);
        heard = await bob.receivesUntil('ann: are you listening?\n');
      }
      expect(await bob.ends()).toBe('');
      expect(await ann.receivesUntil('bob has gone\n')).toContain('deaf has gone\n');
      program.signal('SIGINT');
      const { stdout, stderr } = await program.ended;
      expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' });
    },
  },
  'manual/channel-producer.ts': {
    'waits for a consumer that knows the key': async ({ start, driver }) => {
      const producer = start({ args: ['0'], fast: false });
      const port = String(await producer.port());
      const consume = (...args: string[]) =>
        new Program('examples/manual/channel-consumer.ts', {
          args: [port, ...args],
          env: { CURIO_DRIVER: driver },
          fast: false,
        }).ended;
      const stranger = await consume('guess');
      expect(stranger).toMatchObject({ code: 0, stderr: '' });
      expect(stranger.stdout).toMatch(/^Not let in: .*\n$/);
      const numbers = Array.from({ length: 10 }, (_, i) => `Got: ${i}\n`).join('');
      expect(await consume()).toEqual({ code: 0, signal: null, stdout: numbers, stderr: '' });
      const { code, stdout, stderr } = await producer.ended;
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
      expect(stderr).toMatch(/^curio warn: A channel has dropped a client .* has another key: .*\n$/);
    },
  },
  'manual/channel-consumer.ts': {
    'says so when there is no producer': async ({ start }) => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      server.close();
      await once(server, 'close');
      const { code, stdout, stderr } = await start({ args: [String(port)] }).ended;
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('ECONNREFUSED');
    },
  },
  'manual/read-wait.ts': {
    'waits, where there are pairs of sockets': async ({ driver, file, start }) => {
      const ending = await start().ended;
      if (driver === 'posix') expectAnnounced(file, ending);
      else expect(ending.stderr).toContain('NotSupportedError');
    },
  },
};

describe('each example', () => {
  test('is run by a test', () => {
    expect(files.length).toBeGreaterThan(35);
    const played = [...Object.keys(plays), ...Object.keys(networkPlays)];
    expect(played.filter((name) => !files.includes(name))).toEqual([]);
  });

  for (const file of files) {
    const start = (options?: ProgramOptions) => new Program(`examples/${file}`, options);
    const network = Object.entries(networkPlays[file] ?? {});
    for (const [title, play] of network) {
      for (const driver of drivers) {
        const env = { CURIO_DRIVER: driver };
        test(`${file} ${title} (${driver} driver)`, () =>
          play({
            file,
            driver,
            start: (options) => start({ ...options, env: { ...options?.env, ...env } }),
          }));
      }
    }
    const others = Object.entries(plays[file] ?? {});
    for (const [title, play] of others) {
      test(`${file} ${title}`, () => play({ file, driver: drivers[0]!, start }));
    }
    if (network.length + others.length === 0) {
      test(`${file} prints what it says`, async () => {
        expect(announced(file, 'Prints')).not.toBe('');
        expectAnnounced(file, await start().ended);
      });
    }
  }
});
