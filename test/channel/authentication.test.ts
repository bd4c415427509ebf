// The handshake, step by step, in both roles and with every digest, against answers that Python's hmac module gave.

import { createHmac } from 'node:crypto';
import {
  AuthenticationError,
  CancelledError,
  CurioError,
  EOFError,
  gather,
  run,
  sleep,
  spawn,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { Connection, ConnectionError, type Digest } from 'curio/channel';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { faultOf, respond } from '../../src/channel/authentication.ts';
import { connectedPair, onEachDriver } from '../kit/drivers.ts';

const KEY = Buffer.from('peekaboo');
const bytes = (n: number) => Buffer.from(Array.from({ length: n }, (_, i) => i));
const named = (digest: string, rest: Uint8Array) => Buffer.concat([Buffer.from(`{${digest}}`), rest]);

/** hmac.new(b'peekaboo', challenge, digest).hexdigest() */
const vectors: [digest: Digest, challenge: Buffer, mac: string, named: boolean][] = [
  ['md5', bytes(20), 'e0bc5ff5981c5742feca0faaf7408f99', false],
  ['md5', named('md5', bytes(40)), '903be2b6bb9f46aae3278c59cba05b91', true],
  [
    'sha256',
    named('sha256', bytes(40)),
    'eda328927ea5867e57357e92ff7a849cdfe50b5fecbe9282ff9d63f0fe76b0b6',
    true,
  ],
  [
    'sha384',
    named('sha384', bytes(40)),
    '09d5e8c98ebc2ef5aca36ccd6b94536e933b9949b6e934b5151cbc387df455b7d61ccdd51415b97b7f19e6540356cf4f',
    true,
  ],
  [
    'sha3_256',
    named('sha3_256', bytes(40)),
    '825f36224947040f95f7c50c6b1cf0856f48e19be14410e8061b24f04efb53af',
    true,
  ],
  [
    'sha3_384',
    named('sha3_384', bytes(40)),
    'bc55a084c3a13534918386127b5fd6c74b3bd1169b35e1223e36feb005d0b823c190062ec313837c099ca002d8731266',
    true,
  ],
];

async function pair(): Promise<[Connection, Connection]> {
  const [a, b] = (await connectedPair()).map((sock) => sock.asStream());
  return [new Connection(a!, a!), new Connection(b!, b!)];
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error) => error,
  );

describe('a challenge', () => {
  test.each(vectors)('%s is answered as Python answers it', (digest, challenge, mac, isNamed) => {
    const answer = Buffer.from(mac, 'hex');
    expect(respond(KEY, challenge)).toEqual(isNamed ? named(digest, answer) : answer);
  });

  test.each(vectors)('%s is satisfied by the right answer only', (digest, challenge, mac, isNamed) => {
    const right = isNamed ? named(digest, Buffer.from(mac, 'hex')) : Buffer.from(mac, 'hex');
    expect(faultOf(KEY, challenge, right, isNamed ? digest : 'md5')).toBe(null);
    const wrong = Buffer.from(right);
    wrong[wrong.length - 1]! ^= 1;
    expect(faultOf(KEY, challenge, wrong, digest)).toBeInstanceOf(AuthenticationError);
    expect(faultOf(KEY, challenge, right.subarray(0, -1), digest)).toBeInstanceOf(AuthenticationError);
    expect(faultOf(Buffer.from('other'), challenge, right, digest)).toBeInstanceOf(AuthenticationError);
  });

  test('without a digest may be answered with a better one, and one that names it wants that one', () => {
    const sha = named('sha256', createHmac('sha256', KEY).update(bytes(20)).digest());
    expect(faultOf(KEY, bytes(20), sha, 'md5')).toBe(null);
    const challenge = named('sha256', bytes(40));
    const md5 = createHmac('md5', KEY).update(challenge).digest();
    expect(faultOf(KEY, challenge, md5, 'sha256')?.message).toBe(
      'The peer answered with md5, and sha256 was asked for.',
    );
  });

  test('that makes no sense is refused', () => {
    expect(() => respond(KEY, bytes(10))).toThrow('too short: 10 bytes');
    for (const challenge of [
      bytes(30),
      named('sha1', bytes(40)),
      named('', bytes(40)),
      Buffer.from('{'.repeat(40)),
    ])
      expect(() => respond(KEY, challenge)).toThrow(AuthenticationError);
    expect(faultOf(KEY, bytes(20), named('sha1', bytes(20)), 'md5')?.message).toContain(
      'that name no digest known here (md5, sha256, sha384, sha3_256, sha3_384)',
    );
    expect(faultOf(KEY, bytes(20), Buffer.alloc(0), 'md5')).toBeInstanceOf(AuthenticationError);
  });
});

onEachDriver('the handshake', () => {
  test.each(['authenticateClient', 'authenticateServer'] as const)(
    'who has no key cannot have one connection answer for another: %s',
    (authenticate) =>
      run(async () => {
        const [[one, stranger], [two, accomplice]] = [await pair(), await pair()];
        const first = await spawn(() => one[authenticate](KEY));
        const second = await spawn(() => two[authenticate](KEY));
        if (authenticate === 'authenticateClient') {
          await stranger.sendBytes(Buffer.concat([Buffer.from('#CHALLENGE#'), bytes(20)]));
          await stranger.recvBytes();
          await stranger.sendBytes('#WELCOME#');
          await accomplice.sendBytes(await stranger.recvBytes());
        } else {
          // Whoever is called shows nothing before it has seen the key.
          const challenge = await stranger.recvBytes();
          await accomplice.recvBytes();
          await accomplice.sendBytes(challenge);
        }
        await second.wait();
        expect(second.exception).toBeInstanceOf(AuthenticationError);
        await first.cancel();
        for (const connection of [one, stranger, two, accomplice]) await connection.close();
      }),
  );

  test('lets both ends in that have the same key, and messages follow', () =>
    run(async () => {
      for (const digest of ['md5', 'sha256', 'sha384', 'sha3_256', 'sha3_384'] as const) {
        const [server, client] = await pair();
        await gather([
          () => server.authenticateServer('peekaboo', { digest }),
          () => client.authenticateClient(KEY, { digest }),
        ]);
        await server.send('welcome');
        expect(await client.recv()).toBe('welcome');
        await server.close();
        await client.close();
      }
    }));

  test('says on both sides what is wrong when the keys differ, and the connection is of no use then', () =>
    run(async () => {
      const [server, client] = await pair();
      const [atServer, atClient] = await gather([
        () => failure(server.authenticateServer('one key')),
        () => failure(client.authenticateClient('another key')),
      ]);
      for (const error of [atServer, atClient]) {
        expect(error).toBeInstanceOf(AuthenticationError);
        expect(error).toBeInstanceOf(ConnectionError);
        expect(error).toBeInstanceOf(CurioError);
      }
      expect(atServer.message).toContain('the digest received was wrong');
      expect(atClient.message).toContain('the digest sent was rejected');
      for (const connection of [server, client]) {
        for (const call of [
          () => connection.send(1),
          () => connection.recv(),
          () => connection.recvBytes(),
        ]) {
          const error = await failure(call());
          expect(error).toBeInstanceOf(ConnectionError);
          expect(error.message).toContain('its authentication has failed');
        }
        await connection.close();
      }
    }));

  test('of the one who was called begins with a marker and twenty random bytes', () =>
    run(async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 3; i++) {
        const [server, peer] = await pair();
        const serving = await spawn(() => server.authenticateServer(KEY));
        const challenge = await peer.recvBytes();
        expect(challenge.subarray(0, 11).toString()).toBe('#CHALLENGE#');
        expect(challenge.length).toBe(31);
        seen.add(challenge.toString('hex'));
        await peer.sendBytes(createHmac('md5', KEY).update(challenge.subarray(11)).digest());
        expect((await peer.recvBytes()).toString()).toBe('#WELCOME#');
        // Now the roles are swapped.
        await peer.sendBytes(Buffer.concat([Buffer.from('#CHALLENGE#'), bytes(20)]));
        expect((await peer.recvBytes()).toString('hex')).toBe(vectors[0]![2]);
        await peer.sendBytes('#WELCOME#');
        await serving.join();
        await server.close();
        await peer.close();
      }
      expect(seen.size).toBe(3);
    }));

  test('names the digest that is asked for', () =>
    run(async () => {
      const [server, peer] = await pair();
      const serving = await spawn(() => failure(server.authenticateServer(KEY, { digest: 'sha3_256' })));
      const challenge = await peer.recvBytes();
      expect(challenge.subarray(0, 21).toString()).toBe('#CHALLENGE#{sha3_256}');
      expect(challenge.length).toBe(61);
      // An old client takes no notice of the name.
      await peer.sendBytes(createHmac('md5', KEY).update(challenge.subarray(11)).digest());
      expect((await peer.recvBytes()).toString()).toBe('#FAILURE#');
      expect((await serving.join()).message).toContain(
        'The peer answered with md5, and sha3_256 was asked for',
      );
      await server.close();
      await peer.close();
    }));

  test('ends with an error for whatever else the peer says', () =>
    run(async () => {
      const answers: [say: Uint8Array | string, error: object][] = [
        ['#FAILURE#', { code: 'ERR_CURIO_AUTHENTICATION' }],
        ['#CHALLENGE#short', { code: 'ERR_CURIO_AUTHENTICATION' }],
        ['', { code: 'ERR_CURIO_AUTHENTICATION' }],
        [Buffer.concat([Buffer.from('#CHALLENGE#'), bytes(100)]), { code: 'ERR_CURIO_AUTHENTICATION' }],
        [Buffer.alloc(257), { code: 'EMSGSIZE' }],
      ];
      for (const [say, expected] of answers) {
        const [client, peer] = await pair();
        const calling = await spawn(() => failure(client.authenticateClient(KEY)));
        await peer.sendBytes(say);
        expect(await calling.join()).toMatchObject(expected);
        await client.close();
        await peer.close();
      }
      const [client, peer] = await pair();
      await peer.close();
      expect(await failure(client.authenticateClient(KEY))).toBeInstanceOf(EOFError);
      await client.close();
    }));

  test('does not take its own answer for the peer’s: who only echoes does not get in', () =>
    run(async () => {
      const [server, echo] = await pair();
      const echoing = await spawn({ daemon: true }, async () => {
        for (;;) await echo.sendBytes(await echo.recvBytes());
      });
      expect(await failure(server.authenticateServer(KEY))).toBeInstanceOf(AuthenticationError);
      await echoing.cancel();
      await server.close();
      await echo.close();
    }));

  test('that is out of time leaves a connection that says it is of no use', () =>
    run({ clock: new VirtualClock({ patience: 0.02 }) }, async () => {
      const [server, silent] = await pair();
      await expect(timeoutAfter(1, () => server.authenticateServer(KEY))).rejects.toThrow(TaskTimeout);
      await expect(server.recv()).rejects.toThrow('its authentication has failed');
      await sleep(0);
      await server.close();
      await silent.close();
    }));

  test('wherever it is cancelled lets nobody in who has not shown the key', async () => {
    await cancelEverywhere(
      async () => {
        const [server, client] = await pair();
        const caller = await spawn({ daemon: true }, async () => {
          try {
            await client.authenticateClient(KEY);
            await client.send('hello');
          } finally {
            await client.close();
          }
        });
        let authenticated = false;
        try {
          await server.authenticateServer(KEY);
          authenticated = true;
        } catch {
          // Whatever that was.
        }
        const error = await failure(timeoutAfter(1, () => server.recv()));
        await caller.cancel();
        await server.close();
        return [authenticated, error] as const;
      },
      ({ result }) => {
        if (result === undefined) return;
        const [authenticated, error] = result;
        if (!authenticated) expect(error).toBeInstanceOf(ConnectionError);
        else if (error !== null && !(error instanceof EOFError)) expect(error).toBeInstanceOf(CancelledError);
      },
    );
  });
});
