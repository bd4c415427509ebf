// The monitor with real programs and real connections: the tutorial's session, a program that spins, and clients that mean no good.

import { spawn as spawnProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Kernel, run, sleep, spawn, wait } from 'curio';
import { Monitor } from 'curio/monitor';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/entries.mjs';
import { recorder } from '../kit/recorder.ts';
import { Program, Terminal } from '../kit/terminals.ts';

const HEAD = `Task   State        Cycles     Timeout Task
------ ------------ ---------- ------- --------------------------------------------------`;

const kid = readFileSync(`${root}test/programs/kid.ts`, 'utf8').split('\n');

function lineOf(code: string): number {
  return kid.findIndex((line) => line.includes(code)) + 1;
}

async function opened(port: number): Promise<Terminal> {
  const terminal = new Terminal(port);
  await terminal.answer();
  return terminal;
}

describe("the tutorial's session", () => {
  test('hang, connect, ps, where, cancel', async () => {
    await using program = new Program('kid');
    using terminal = new Terminal(await program.monitorPort());
    await program.says("We're leaving!");
    expect(await terminal.answer()).toMatch(/^\nCurio Monitor: [34] tasks running\nType help for commands$/);
    const table = await terminal.typeUntil('ps', 'TASK_JOIN');
    expect(table.replace(/^2 {6}TASK_JOIN {4}\d+ /m, '2      TASK_JOIN    5 ')).toBe(`${HEAD}
1      FUTURE_WAIT  1          None    Monitor.monitor_task
2      TASK_JOIN    5          None    parent
3      TIME_SLEEP   1          None    kid`);
    expect(await terminal.type('where 2')).toBe(
      `Stack for Task(id=2, name='parent', state='TASK_JOIN') (most recent call last):
  File "test/programs/kid.ts", line ${lineOf('else await kidTask.join()')}, in parent
    else await kidTask.join();`,
    );
    expect(await terminal.type('where 3')).toBe(
      `Stack for Task(id=3, name='kid', state='TIME_SLEEP') (most recent call last):
  File "test/programs/kid.ts", line ${lineOf('await sleep(1000)')}, in kid
    await sleep(1000);`,
    );
    expect(await terminal.type('cancel 3')).toBe('Cancelling task 3');
    await terminal.paper.ended();
    expect(await program.over).toMatchObject({ code: 1 });
    expect(program.logged.text).toContain("TaskError: Task(id=3, name='kid') was cancelled");
    expect(program.logged.text).toMatch(/Somebody cancelled the task in the monitor\.\]?\n(?! *at )/);
    expect(program.said.text).not.toContain('Leaving!');
  });

  test('a signal, from the monitor', async () => {
    await using program = new Program('kid', { args: ['signal'] });
    using terminal = await opened(await program.monitorPort());
    expect(await terminal.typeUntil('ps', 'SIGNAL_WAIT')).toMatch(/^2 {6}SIGNAL_WAIT .* parent$/m);
    expect(await terminal.type('signal SIGHUP')).toBe('Sent SIGHUP');
    expect(await program.over).toMatchObject({ code: 0 });
    expect(program.said.text).toMatch(/Let's go\n(T-minus \d\n){3}We're leaving!\nLeaving!\n$/);
  });

  test('plays with nc, too', async () => {
    await using program = new Program('kid');
    const port = await program.monitorPort();
    const nc = spawnProcess('sh', ['-c', `command -v nc >/dev/null || exit 77; exec nc 127.0.0.1 ${port}`]);
    let text = '';
    const code = await new Promise((resolve) => {
      nc.once('close', resolve);
      nc.stdout.setEncoding('utf8').on('data', (more: string) => {
        if (text === '') nc.stdin.write('ps\n');
        text += more;
        if (/ kid\ncurio > $/.test(text)) nc.kill();
      });
    });
    // A machine without nc.
    if (code === 77) return;
    expect(text).toContain(`curio > ${HEAD}\n`);
  });
});

describe('a task that spins', () => {
  test('is seen, looked into and killed, and everybody else goes on', async () => {
    await using program = new Program('spinning');
    const echoPort = Number(/port (\d+)/.exec(await program.says('spinning\n'))?.[1]);
    using terminal = await opened(await program.monitorPort());
    using client = new Terminal(echoPort);
    client.socket.write('hello');

    const table = await terminal.typeUntil('ps', 'has not moved');
    expect(table).toMatch(
      /^The kernel has not moved for [\d.]+ s: task \d+ 'spinner' is running, and does not block\./,
    );
    const id = /task (\d+) 'spinner'/.exec(table)![1]!;
    expect(table).toMatch(new RegExp(`^${id} +RUNNING .* spinner$`, 'm'));
    expect(await terminal.type(`where ${id}`)).toMatch(
      /line \d+, in spinner\n {4}for \(let n = 0; ; n\+\+\) Math\.sqrt\(n\);/,
    );
    expect(await terminal.type('tree')).toContain(`${id} spinner RUNNING`);
    expect(await terminal.type('kill 2')).toContain(`kill ${id} ends the one that does`);
    expect(client.paper.text).toBe('');

    expect(await terminal.type(`kill ${id}`)).toBe(`Killed task ${id}`);
    await client.paper.until((text) => (text === 'hello' ? text : null), 'an echo');
    await program.says('a promise settled meanwhile');
    expect(program.said.text).toContain('joined: TaskKilled');
    expect(program.logged.text).toMatch(
      /TaskKilled: Somebody killed the task in the monitor\.\n {4}at spinner \(.*spinning\.ts:\d+:\d+\)\n/,
    );
    expect(await terminal.typeUntil('ps', 'Task')).not.toMatch(/spinner|not moved/);
  });

  test('is seen in whatever function it is stopped', async () => {
    await using program = new Program('spinning', { args: ['clock'] });
    await program.says('spinning\n');
    using terminal = await opened(await program.monitorPort());
    const id = /task (\d+) 'spinner'/.exec(await terminal.typeUntil('ps', 'not moved'))![1];
    for (let n = 0; n < 15; n++) expect(await terminal.type(`where ${id}`)).toMatch(/line \d+, in spinner\n/);
  });

  test('uses the CPU, says top', async () => {
    await using program = new Program('spinning');
    await program.says('spinning\n');
    using terminal = await opened(await program.monitorPort());
    expect((await terminal.typeUntil('top', 'not moved')).split('\n')[2]).toMatch(
      /^\d+ +\d+\.\d .* RUNNING +spinner$/,
    );
  });
});

/** A kernel with a monitor, and a task that waits for ever. */
async function monitored(
  look: (port: number, log: string[]) => Promise<void>,
  options: ConstructorParameters<typeof Monitor>[1] = {},
): Promise<void> {
  const log: string[] = [];
  const write = (text: string) => log.push(text);
  await using kernel = new Kernel({ logger: { debug: write, info: write, warn: write, error: write } });
  const monitor = new Monitor(kernel, { port: 0, ...options });
  await kernel.run(async function main() {
    await spawn({ daemon: true }, async function sleeper() {
      await sleep(1000);
    });
    const [, port] = (await wait(monitor.address))!;
    await wait(look(port, log));
  });
}

describe('commands', () => {
  test('go by their first letters, and what means nothing is said to', () =>
    monitored(async (port) => {
      using terminal = await opened(port);
      expect(await terminal.type('p')).toContain(HEAD);
      expect(await terminal.type('PS')).toContain(HEAD);
      expect(await terminal.type('h')).toContain('Commands, or their first letters:');
      expect(await terminal.type('where')).toBe('Bad command. Usage: where N');
      expect(await terminal.type('where x')).toBe(
        "Bad command: 'x' is not the number of a task. Usage: where N",
      );
      expect(await terminal.type('where 0x10')).toContain('Bad command');
      expect(await terminal.type('ps 3')).toBe('Bad command. Usage: ps');
      expect(await terminal.type('cancel 1 2')).toBe('Bad command. Usage: cancel N');
      expect(await terminal.type('where 4711')).toBe('No task 4711');
      expect(await terminal.type('cancel 4711')).toBe('No task 4711');
      expect(await terminal.type('kill 4711')).toBe('No task 4711');
      expect(await terminal.type('parents 4711')).toBe('No task 4711');
      expect(await terminal.type('signal SIGNO')).toBe(
        "Unknown signal 'SIGNO'. Write its name, such as SIGHUP.",
      );
      expect(await terminal.type('signal constructor')).toContain('Unknown signal');
      expect(await terminal.type('dance')).toBe("Unknown command 'dance'. Type help for commands.");
      expect(await terminal.type('')).toBe('');
      terminal.socket.write('exit\n');
      await terminal.paper.ended();
    }));

  test('parents, tree and waiters tell who belongs to whom', () =>
    monitored(async (port) => {
      using terminal = await opened(port);
      const tree = await terminal.type('tree');
      expect(tree).toMatch(/└─ \d+ main FUTURE_WAIT\n {3}└─ \d+ sleeper TIME_SLEEP/);
      const id = /(\d+) sleeper/.exec(tree)![1];
      expect(await terminal.type(`parents ${id}`)).toMatch(/^\d+ sleeper TIME_SLEEP\n\d+ main FUTURE_WAIT$/);
      expect(await terminal.type('waiters')).toBe(
        'No task waits for another, or for a lock, queue or the like.',
      );
    }));

  test('kill ends a task that is blocked', () =>
    monitored(async (port, log) => {
      using terminal = await opened(port);
      const id = /(\d+) sleeper/.exec(await terminal.type('tree'))![1];
      expect(await terminal.type(`kill ${id}`)).toBe(`Killed task ${id}`);
      expect(await terminal.type('tree')).not.toContain('sleeper');
      expect(log.join('\n')).toContain('TaskKilled');
    }));

  test('come from programs as JSON, a line each', () =>
    monitored(async (port) => {
      using terminal = await opened(port);
      const before = terminal.paper.text.length;
      terminal.socket.write('{"command":"ps"}\n{"command":5}\n{nonsense\n');
      const answers = await terminal.paper.until((text) => {
        const lines = text
          .slice(before)
          .split('\n')
          .filter((line) => line.startsWith('{'));
        return lines.length === 3 && text.endsWith('\n') ? lines.map((line) => JSON.parse(line)) : null;
      }, 'three answers');
      expect(answers[0].data.tasks.map((task: { name: string }) => task.name)).toEqual([
        'Monitor.monitor_task',
        'main',
        'sleeper',
      ]);
      expect(answers[1].data.error).toContain('A request is a line such as');
      expect(answers[2].data.error).toContain('A request is a line such as');
    }));
});

describe('clients that mean no good', () => {
  test('a line without end costs its sender the connection, and nobody else anything', () =>
    monitored(async (port) => {
      using bad = await opened(port);
      using good = await opened(port);
      bad.socket.write('x'.repeat(100_000));
      expect(await bad.paper.ended()).toContain('That line is too long.');
      expect(await good.type('ps')).toContain(HEAD);
    }));

  // A page may choose its method, and of TLS what it has given the browser for a ticket before.
  test.each(['POST / HTTP/1.1', 'ps / HTTP/1.1', 'M-SEARCH / HTTP/1.1', '\x16\x03\x01\x02', 'a\0b'])(
    'what a web page makes a browser send is not taken for commands: %j',
    (first) =>
      monitored(async (port) => {
        using page = new Terminal(port);
        page.socket.write(`${first}\r\nHost: 127.0.0.1\r\n\r\ncancel 2\r\n`);
        expect(await page.paper.ended()).toContain('This is no web server.');
        using good = await opened(port);
        expect(await good.type('tree')).toContain('main FUTURE_WAIT');
      }),
  );

  test('one that floods without reading is served in its turn, and the others meanwhile', () =>
    monitored(async (port) => {
      using bad = await opened(port);
      bad.socket.pause();
      bad.socket.write('help\n'.repeat(50_000));
      using good = await opened(port);
      for (let n = 0; n < 5; n++) expect(await good.type('ps')).toContain(HEAD);
      bad.socket.destroy();
      expect(await good.type('ps')).toContain(HEAD);
    }));

  test('one that disconnects in the middle of an answer is forgotten', () =>
    monitored(async (port) => {
      for (let n = 0; n < 20; n++) {
        const terminal = new Terminal(port);
        terminal.socket.write('ps\nps\nps\n', () => terminal.socket.resetAndDestroy());
        await terminal.paper.ended();
      }
      using good = await opened(port);
      expect(await good.type('ps')).toContain(HEAD);
    }));

  test('random bytes get answers or lose their connection, and never more', () =>
    monitored(async (port) => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
          using terminal = await opened(port);
          terminal.socket.end(Buffer.concat([bytes, Buffer.from('\nexit\n')]));
          await terminal.paper.ended();
        }),
        { numRuns: 50 },
      );
      using good = await opened(port);
      expect(await good.type('tree')).toContain('sleeper');
    }));

  test('too many at once are turned away', () =>
    monitored(async (port) => {
      const all: Terminal[] = [];
      for (let n = 0; n < 32; n++) all.push(await opened(port));
      using late = new Terminal(port);
      expect(await late.paper.ended()).toContain('too many clients');
      for (const terminal of all) terminal.socket.destroy();
    }));
});

describe('where it listens', () => {
  test('anywhere but on the loopback it wants a token first, which it logs', () =>
    monitored(
      async (port, log) => {
        const token = /The token is (\w+)\./.exec(log.join('\n'))![1]!;
        using wrong = new Terminal(port);
        wrong.socket.write('ps\n');
        expect(await wrong.paper.ended()).toBe('Token: That is not the token.\n');
        using right = new Terminal(port);
        right.socket.write(`${token}\n`);
        expect(await right.answer()).toContain('Curio Monitor:');
        expect(await right.type('ps')).toContain(HEAD);
      },
      { host: '0.0.0.0' },
    ));

  test('a token may be any text', () =>
    monitored(
      async (port) => {
        using terminal = new Terminal(port);
        terminal.socket.write(' Öl à\n');
        expect(await terminal.answer()).toContain('Curio Monitor:');
      },
      { token: ' Öl à' },
    ));

  test('a port that is taken is a warning, and the program runs', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const log = recorder();
    await using kernel = new Kernel({ logger: log });
    const monitor = new Monitor(kernel, { port });
    expect(await kernel.run(async () => wait(monitor.address))).toBeNull();
    expect(log.lines.join('\n')).toMatch(/The monitor cannot listen there: another program/);
    taken.close();
  });

  test('what is no host, port, token or kernel is a TypeError', async () => {
    await using kernel = new Kernel();
    expect(() => new Monitor(kernel, { port: 70_000 })).toThrow(TypeError);
    expect(() => new Monitor(kernel, { host: '' })).toThrow(TypeError);
    for (const token of ['', 'two\nlines', 'x'.repeat(257), 1234 as never])
      expect(() => new Monitor(kernel, { token })).toThrow(/^A monitor's token is a line/);
    expect(() => new Monitor({} as never)).toThrow(TypeError);
  });
});

describe('its life', () => {
  test('run({ withMonitor }) ends with its clients disconnected and nothing left', async () => {
    let terminal: Terminal | null = null;
    const log = recorder();
    await run({ withMonitor: { port: 0 }, logger: log }, async () => {
      while (terminal === null) {
        const port = /:(\d+)\./.exec(log.lines.join('\n'))?.[1];
        if (port === undefined) await sleep(0.01);
        else terminal = await wait(opened(Number(port)));
      }
    });
    await terminal!.paper.ended();
  });

  test('CURIOMONITOR=1 in the environment is enough, and CURIOMONITOR_PORT says where', async () => {
    const env = { CURIOMONITOR: '1', CURIOMONITOR_PORT: '0' };
    await using program = new Program('unprepared', { env });
    using terminal = new Terminal(await program.monitorPort());
    expect(await terminal.answer()).toMatch(/Curio Monitor: \d tasks running/);
    expect(await terminal.typeUntil('ps', 'LOCK_ACQUIRE')).toMatch(
      /FUTURE_WAIT .* Monitor.monitor_task\n.* main\n/,
    );
  });

  test('without that there is none, and a port that is none is said to be', async () => {
    await using silent = new Program('unprepared', { env: { CURIOMONITOR: '0', CURIOMONITOR_PORT: '0' } });
    await silent.says('up');
    expect(silent.logged.text).toBe('');
    await using wrong = new Program('unprepared', { env: { CURIOMONITOR: '1', CURIOMONITOR_PORT: 'http' } });
    expect(await wrong.over).toMatchObject({ code: 1 });
    expect(wrong.logged.text).toContain(
      "TypeError: CURIOMONITOR_PORT is a port from 0 to 65535, not 'http'.",
    );
  });

  test('who waits for its address gets it, also when nothing else keeps the process alive', async () => {
    await using program = new Program('monitor-address');
    expect(await program.over).toMatchObject({ code: 0 });
    expect(program.said.text).toMatch(/^127\.0\.0\.1 \d+\n$/);
  });

  test('ps() and where() tell the program itself', async () => {
    await using kernel = new Kernel();
    const monitor = new Monitor(kernel, { port: 0 });
    await kernel.run(async function main() {
      const task = await spawn({ daemon: true }, async function sleeper() {
        await sleep(1000);
      });
      await sleep(0.01);
      expect(monitor.ps().tasks.map(({ name }) => name)).toEqual(['Monitor.monitor_task', 'main', 'sleeper']);
      expect(await wait(monitor.where(task.id))).toMatch(/in sleeper\n {4}await sleep\(1000\);$/);
      expect(await wait(monitor.where(4711))).toBe('No task 4711');
    });
  });
});
