/*
 * `curio top`: the tasks of a program in a terminal, live. It asks as long as it is open, and less often when answers take their
 * time, so that whoever is watched can do its work.
 */

import type { Command } from 'commander';
import { CurioError } from '../errors.ts';
import type { Link } from './link.ts';
import { textOf } from './top/frame.ts';
import { Screen } from './top/screen.ts';
import { Seen, type TopData, type WaitersData } from './top/seen.ts';
import { TopView } from './top/view.ts';
import { reach, visit, WHOM_HELP, type Whom, whomArgument } from './visit.ts';

/** Milliseconds for which `top` itself looks before it answers. */
const LOOKS = 1000;
/** The part of the time that may go into answering otherwise. */
const SHARE = 0.1;

export function define(command: Command): void {
  command
    .addArgument(whomArgument())
    .addHelpText(
      'after',
      `${WHOM_HELP}\n\nArrows, Page Up and Down choose a task; Enter shows where it is, c cancels it, k\n` +
        'ends it by force, o orders by CPU or as a tree, q quits. If the output is no\nterminal, it is shown once.',
    )
    .action((whom: Whom) =>
      visit(whom, async (link, interrupted) => {
        if (!process.stdout.isTTY) return once(whom, link, interrupted);
        // A monitor answers in turn; what keys ask for does not wait for a look that takes a second.
        const hands = 'pid' in whom ? link : await reach(whom);
        try {
          await live(whom, link, hands, interrupted);
        } finally {
          if (hands !== link) await hands.close();
        }
      }),
    );
}

function called(whom: Whom): string {
  return 'pid' in whom ? `process ${whom.pid}` : `${whom.host}:${whom.port}`;
}

async function look(link: Link, before: Seen | null): Promise<Seen> {
  const top = await link.ask('top');
  const waiters = await link.ask('waiters');
  const data = top.data as TopData & { error?: string };
  if (data.tasks === undefined) throw new CurioError(data.error ?? top.text);
  return new Seen(data, waiters.data as WaitersData, before);
}

async function once(whom: Whom, link: Link, interrupted: Promise<unknown>): Promise<void> {
  const seen = await Promise.race([look(link, null), interrupted]);
  if (!(seen instanceof Seen)) return;
  const view = {
    whom: called(whom),
    chosen: null,
    first: 0,
    stack: null,
    question: null,
    said: '',
    lost: null,
  };
  console.log(textOf(seen, seen.lines('tree'), { ...view, order: 'tree' }));
}

async function live(whom: Whom, link: Link, hands: Link, interrupted: Promise<unknown>): Promise<void> {
  let quit!: () => void;
  const over = Promise.race([
    interrupted,
    new Promise<void>((resolve) => {
      quit = resolve;
    }),
  ]);
  const screen = new Screen(process.stdin.isTTY ? process.stdin : null, process.stdout, {
    key: (name) => {
      const wish = view.key(name);
      if (wish?.do === 'quit') quit();
      if (wish?.do === 'ask') void ask(wish.command);
      draw();
    },
    resized: () => {
      view.resize(screen.size);
      draw();
    },
  });
  const view = new TopView(called(whom), screen.size);
  const draw = () => screen.draw(view.draw(screen.paint));
  const ask = async (command: string) => {
    try {
      view.answer(command, (await hands.ask(command)).text);
    } catch (error) {
      // swallows: no task runs in this program; the screen shows it.
      view.lose((error as Error).message);
    }
    draw();
  };

  let done = false;
  const watch = async () => {
    for (let seen: Seen | null = null; !done; ) {
      const began = performance.now();
      try {
        seen = await look(link, seen);
        view.take(seen);
      } catch (error) {
        // swallows: no task runs in this program; what was seen last stays, with the reason.
        view.lose((error as Error).message);
        draw();
        return;
      }
      if (view.stackCommand !== null) void ask(view.stackCommand);
      draw();
      // A kernel that is stuck loses nothing.
      const answering = seen.stuck === null ? performance.now() - began - LOOKS : 0;
      await new Promise((resolve) => setTimeout(resolve, answering / SHARE).unref());
    }
  };

  screen.enter();
  try {
    draw();
    void watch();
    await over;
  } finally {
    done = true;
    screen.leave();
  }
}
