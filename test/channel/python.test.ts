// A real Python at the other end, in both roles: multiprocessing.connection as the machine has it, and the handshake of Python 3.12
// as its documentation describes it, written out in Python below.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { AuthenticationError, EOFError, gather, run, spawn } from 'curio';
import { Channel, type Connection, type Digest, type MeetingOptions } from 'curio/channel';
import type { Address } from 'curio/socket';
import { checkOutput } from 'curio/subprocess';
import { describe, expect, test } from 'vitest';
import { onEachDriver } from '../kit/drivers.ts';
import { folder } from '../kit/processes.ts';
import { recorder } from '../kit/recorder.ts';

const hasPython = (() => {
  try {
    execFileSync('python3', ['-c', 'import multiprocessing.connection'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Runs a Python program; what it prints is JSON. */
async function python(script: string, ...args: (string | number)[]): Promise<unknown> {
  const output = await checkOutput(['python3', '-c', PRELUDE + script, ...args.map(String)]);
  return JSON.parse(output.toString());
}

const PRELUDE = `
import hmac, json, os, struct, sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener

def address(args):
    return args[0] if len(args) == 1 else (args[0], int(args[1]))

def say(what):
    print(json.dumps(what))

# The handshake of Python 3.12.
DIGESTS = {'md5', 'sha256', 'sha384', 'sha3_256', 'sha3_384'}

def parts(message):
    if len(message) in (16, 20):
        return '', message
    assert message[:1] == b'{', message
    end = message.index(b'}')
    assert message[1:end].decode() in DIGESTS, message
    return message[1:end].decode(), message[end + 1:]

def deliver_challenge(c, key, digest):
    message = b'{%s}%s' % (digest.encode(), os.urandom(40))
    c.send_bytes(b'#CHALLENGE#' + message)
    name, mac = parts(c.recv_bytes(256))
    if hmac.compare_digest(hmac.new(key, message, name or 'md5').digest(), mac):
        c.send_bytes(b'#WELCOME#')
        return name or 'plain md5'
    c.send_bytes(b'#FAILURE#')
    raise AuthenticationError('digest received was wrong')

def answer_challenge(c, key):
    message = c.recv_bytes(256)
    assert message[:11] == b'#CHALLENGE#', message
    message = message[11:]
    name = parts(message)[0]
    mac = hmac.new(key, message, name or 'md5').digest()
    c.send_bytes(b'{%s}%s' % (name.encode(), mac) if name else mac)
    if c.recv_bytes(256) != b'#WELCOME#':
        raise AuthenticationError('digest sent was rejected')
    return name or 'plain md5'
`;

/** Sends back what it gets, until that is empty, and says how long it all was. */
const ECHO = `
    sizes = []
    while True:
        data = c.recv_bytes()
        sizes.append(len(data))
        if not data:
            break
        c.send_bytes(data)
    c.send_bytes(b'')
    say(sizes)
`;

const sizes = [1, 16383, 16384, 16385, 1_000_000];

/** The other half of that. */
async function beEchoed(connection: Connection): Promise<void> {
  for (const size of sizes) {
    const message = Buffer.alloc(size, `${size}`);
    const [, echo] = await gather([() => connection.sendBytes(message), () => connection.recvBytes()]);
    expect(echo.equals(message)).toBe(true);
  }
  await connection.sendBytes('');
  expect((await connection.recvBytes()).length).toBe(0);
}

const args = (address: Address) =>
  typeof address === 'string' ? [address] : [...(address as [string, number])];

/** A free port that somebody else can take. */
async function freePort(): Promise<number> {
  await using channel = new Channel(['127.0.0.1', 0]);
  await channel.bind();
  return (channel.address as [string, number])[1];
}

/** Connects as soon as there is somebody. */
async function eventually(address: Address, options: MeetingOptions): Promise<Connection> {
  for (;;) {
    try {
      return await new Channel(address).connect(options);
    } catch (error) {
      if (!['ECONNREFUSED', 'ENOENT'].includes((error as { code: string }).code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

describe.runIf(hasPython)('Python', () => {
  onEachDriver('at the other end of a channel', () => {
    test.each([null, 'peekaboo'])('connects and sends bytes there and back (key: %s)', (authkey) =>
      run(async () => {
        for (const where of [['127.0.0.1', 0], join(folder(), 'channel')] as Address[]) {
          await using channel = new Channel(where);
          await channel.bind();
          const key = authkey === null ? 'None' : `b'${authkey}'`;
          const peer = await spawn(() =>
            python(
              `with Client(address(sys.argv[1:]), authkey=${key}) as c:${ECHO}`,
              ...args(channel.address),
            ),
          );
          await using connection = await channel.accept({ authkey });
          await beEchoed(connection);
          expect(await peer.join()).toEqual([...sizes, 0]);
        }
      }),
    );

    test.each([null, 'peekaboo'])('accepts and sends bytes there and back (key: %s)', (authkey) =>
      run(async () => {
        for (const where of [['127.0.0.1', await freePort()], join(folder(), 'channel')] as Address[]) {
          const key = authkey === null ? 'None' : `b'${authkey}'`;
          const peer = await spawn(() =>
            python(
              `with Listener(address(sys.argv[1:]), authkey=${key}) as l, l.accept() as c:${ECHO}`,
              ...args(where),
            ),
          );
          await using connection = await eventually(where, { authkey });
          await beEchoed(connection);
          expect(await peer.join()).toEqual([...sizes, 0]);
        }
      }),
    );

    test('exchanges objects as JSON', () =>
      run(async () => {
        await using channel = new Channel(['127.0.0.1', 0], { codec: 'json' });
        await channel.bind();
        const peer = await spawn(() =>
          python(
            `
with Client(address(sys.argv[1:])) as c:
    got = json.loads(c.recv_bytes())
    c.send_bytes(json.dumps({'answer': got, 'none': None}).encode())
    say(got)
`,
            ...args(channel.address),
          ),
        );
        await using connection = await channel.accept();
        await connection.send({ text: 'Grüße', list: [1, 2.5, true] });
        expect(await connection.recv()).toEqual({
          answer: { text: 'Grüße', list: [1, 2.5, true] },
          none: null,
        });
        expect(await peer.join()).toEqual({ text: 'Grüße', list: [1, 2.5, true] });
      }));

    test('sends a pickle, which is recognised, and the long form, which is understood', () =>
      run(async () => {
        await using channel = new Channel(['127.0.0.1', 0]);
        await channel.bind();
        const peer = await spawn(() =>
          python(
            `
with Client(address(sys.argv[1:])) as c:
    c.send({'pickled': 1})
    c._send(struct.pack('!iQ', -1, 9) + b'long form')
    say(c.recv_bytes().decode())
`,
            ...args(channel.address),
          ),
        );
        await using connection = await channel.accept();
        await expect(connection.recv()).rejects.toThrow('it looks like a Python pickle');
        expect((await connection.recvBytes()).toString()).toBe('long form');
        await connection.sendBytes('bye');
        expect(await peer.join()).toBe('bye');
        await expect(connection.recv()).rejects.toThrow(EOFError);
      }));

    test('with another key is not let in, and the next one is', async () => {
      const logger = recorder();
      await run({ logger }, async () => {
        await using channel = new Channel(['127.0.0.1', 0]);
        await channel.bind();
        const peer = await spawn(() =>
          python(
            `
try:
    Client(address(sys.argv[1:]), authkey=b'wrong')
except AuthenticationError as e:
    refused = str(e)
with Client(address(sys.argv[1:]), authkey=b'right') as c:
    say([refused, c.recv_bytes().decode()])
`,
            ...args(channel.address),
          ),
        );
        await using connection = await channel.accept({ authkey: 'right' });
        await connection.sendBytes('welcome');
        expect(await peer.join()).toEqual(['digest sent was rejected', 'welcome']);
      });
      expect(logger.lines).toEqual([expect.stringContaining('A channel has dropped a client')]);
    });

    test('does not let in who has another key', () =>
      run(async () => {
        const port = await freePort();
        const peer = await spawn(() =>
          python(
            `
with Listener(address(sys.argv[1:]), authkey=b'right') as l:
    try:
        l.accept()
    except AuthenticationError as e:
        say(str(e))
`,
            '127.0.0.1',
            port,
          ),
        );
        const failed = await eventually(['127.0.0.1', port], { authkey: 'wrong' }).catch((error) => error);
        expect(failed).toBeInstanceOf(AuthenticationError);
        expect(await peer.join()).toBe('digest received was wrong');
      }));

    const digests: Digest[] = ['md5', 'sha256', 'sha384', 'sha3_256', 'sha3_384'];

    test.each(digests)('as 3.12 connects with %s', (digest) =>
      run(async () => {
        await using channel = new Channel(['127.0.0.1', 0]);
        await channel.bind();
        const peer = await spawn(() =>
          python(
            `
with Client(address(sys.argv[1:3])) as c:
    asked = answer_challenge(c, b'peekaboo')
    answered = deliver_challenge(c, b'peekaboo', sys.argv[3])
    say([asked, answered, c.recv_bytes().decode()])
`,
            ...args(channel.address),
            digest,
          ),
        );
        await using connection = await channel.accept({ authkey: 'peekaboo', digest });
        await connection.sendBytes('welcome');
        const asked = digest === 'md5' ? 'plain md5' : digest;
        expect(await peer.join()).toEqual([asked, digest, 'welcome']);
      }),
    );

    test.each(digests)('as 3.12 accepts with %s', (digest) =>
      run(async () => {
        const port = await freePort();
        const peer = await spawn(() =>
          python(
            `
with Listener(address(sys.argv[1:3])) as l, l.accept() as c:
    answered = deliver_challenge(c, b'peekaboo', sys.argv[3])
    asked = answer_challenge(c, b'peekaboo')
    say([asked, answered, c.recv_bytes().decode()])
`,
            '127.0.0.1',
            port,
            digest,
          ),
        );
        await using connection = await eventually(['127.0.0.1', port], { authkey: 'peekaboo', digest });
        await connection.sendBytes('hello');
        const asked = digest === 'md5' ? 'plain md5' : digest;
        expect(await peer.join()).toEqual([asked, digest, 'hello']);
      }),
    );
  });
});
