/*
 * Stopping the main thread from another one, by way of the inspector: for questions that it cannot answer otherwise because it is
 * caught in a loop, and to end that loop. The debugger is on only meanwhile: it makes asynchronous code slow.
 */

import { Session } from 'node:inspector';

/** How long to wait for the main thread to stop. Code that is not JavaScript does not. */
const STOP = 2000;
/** And for it to go on. */
const GO = 1000;
/** So often another moment is looked for when it was stopped where nothing may be thrown away: see `Place`. */
const TRIES = 20;

/** One conversation with the inspector of the main thread. */
export interface Talk {
  /** Rejects with what the inspector complains about. */
  post(method: string, params?: object): Promise<unknown>;
  /** The parameters of the next event of this name. */
  next(event: string): Promise<unknown>;
  end(): void;
}

/** The main thread, while it stands. */
export interface Held {
  /** Asks the desk; only answers that take no time. */
  ask(question: string, ...args: unknown[]): Promise<unknown>;
  /** When it goes on, everything on its stack is thrown away. */
  terminate(): void;
}

/**
 * Where it stands. In Curio nothing may be thrown away. Neither in one of the hooks that V8 calls for promises before Node 24: it takes
 * that for an uncaught exception, and a loop that only awaits enters no other function, so it always stops there.
 */
export type Place = 'user' | 'curio' | 'hook';

export class Holder {
  readonly #desk: number;
  readonly #answers: () => Promise<unknown>;
  readonly #open: () => Talk;
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * @param answers settles when the main thread has had a turn of its event loop
   * @param open how to talk to its inspector: from another thread of the process, unless told otherwise
   */
  constructor(desk: number, answers: () => Promise<unknown>, open: () => Talk = talkFromAnotherThread) {
    this.#desk = desk;
    this.#answers = answers;
    this.#open = open;
  }

  /** Stops the main thread for as long as `work` takes, and gives its result; undefined if it does not stop. One after the other. */
  hold<T>(work: (held: Held) => Promise<T>): Promise<T | undefined> {
    const done = this.#queue.then(() => this.#hold(work));
    this.#queue = done.then(undefined, neglect);
    return done;
  }

  /** Settles when nobody holds the main thread any more. */
  async end(): Promise<void> {
    await this.#queue;
  }

  async #hold<T>(work: (held: Held) => Promise<T>): Promise<T | undefined> {
    const talk = this.#open();
    try {
      await within(STOP, talk.post('Debugger.enable'));
      if (!(await this.#stop(talk))) return undefined;
      let terminateOnResume = false;
      const held: Held = {
        ask: (question, ...args) => this.#ask(talk, question, args),
        terminate: () => {
          terminateOnResume = true;
        },
      };
      try {
        return await work(held);
      } finally {
        const resumed = talk.next('Debugger.resumed');
        void talk.post('Debugger.resume', { terminateOnResume }).then(undefined, neglect);
        await within(GO, resumed);
        // Nothing may be asked of the inspector before that has taken effect: it would hit the answer instead.
        if (terminateOnResume) await within(GO, this.#answers());
      }
    } finally {
      await within(GO, talk.post('Debugger.disable').then(undefined, neglect));
      talk.end();
    }
  }

  /** False if it does not stop. */
  async #stop(talk: Talk): Promise<boolean> {
    let stopped = talk.next('Debugger.paused');
    await within(STOP, talk.post('Debugger.pause'));
    for (let tries = 1; ; tries++) {
      if ((await within(STOP, stopped)) === null) return false;
      const place = await this.#ask(talk, 'place', []);
      if (place === 'user' || tries === TRIES) return true;
      stopped = talk.next('Debugger.paused');
      if (place === 'hook') {
        void talk.post('Debugger.stepOut').then(undefined, neglect);
        continue;
      }
      const resumed = talk.next('Debugger.resumed');
      void talk.post('Debugger.resume').then(undefined, neglect);
      await within(GO, resumed);
      await new Promise((resolve) => setTimeout(resolve, tries));
      await within(STOP, talk.post('Debugger.pause'));
    }
  }

  async #ask(talk: Talk, question: string, args: unknown[]): Promise<unknown> {
    // Not on a call frame: that of a function of Node's own may know no `Symbol`. The stack is the same.
    const evaluated = await talk.post('Runtime.evaluate', {
      expression: deskCall(this.#desk, 'ask', question, args),
      returnByValue: true,
    });
    return deskReply(evaluated);
  }
}

/** What to evaluate in a thread to put a question to one of its desks. */
export function deskCall(
  desk: number,
  method: 'ask' | 'askLater',
  question: string,
  args: readonly unknown[],
): string {
  const call = [question, ...args].map((arg) => JSON.stringify(arg)).join(', ');
  return `globalThis[Symbol.for('curio.desks')][${desk}].${method}(${call})`;
}

/** The answer in what the inspector gives for that. @throws whatever went wrong there */
export function deskReply(evaluated: unknown): unknown {
  const { result, exceptionDetails } = evaluated as {
    result: { value: string };
    exceptionDetails?: { text: string; exception?: { description?: string } };
  };
  if (exceptionDetails !== undefined)
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  const reply = JSON.parse(result.value) as { value: unknown } | { error: string };
  if ('error' in reply) throw new Error(reply.error);
  return reply.value;
}

function talkFromAnotherThread(): Talk {
  const session = new Session();
  session.connectToMainThread();
  return {
    post: (method, params = {}) =>
      new Promise((resolve, reject) => {
        session.post(method, params, (error, result) =>
          error === null ? resolve(result) : reject(new Error(`${method}: ${error.message}`)),
        );
      }),
    next: (event) =>
      new Promise((resolve) =>
        session.once(event, (message: { params: unknown }) => resolve(message.params)),
      ),
    end: () => session.disconnect(),
  };
}

/** Who waits for it has its own way to learn of it: there are no tasks in this thread. */
function neglect(): void {
  // Nothing to do.
}

/** Null if that takes longer. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
