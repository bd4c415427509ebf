/*
 * Stopping the main thread from another one, by way of the inspector: for questions that it cannot answer otherwise because it is
 * caught in a loop, and to end that loop. The debugger is on only meanwhile: it makes asynchronous code slow.
 */

import { Session } from 'node:inspector';

/** How long to wait for the main thread to stop. Code that is not JavaScript does not. */
const STOP = 1000;
/** And for it to go on. */
const GO = 1000;
/** So often another moment is looked for when it was stopped inside Curio itself. */
const TRIES = 20;

/** The main thread, while it stands. */
export interface Held {
  /** Asks the desk; only answers that take no time. */
  ask(question: string, ...args: unknown[]): Promise<unknown>;
  /** When it goes on, everything on its stack is thrown away. */
  terminate(): void;
}

interface Paused {
  callFrames: { callFrameId: string; url: string }[];
}

export class Holder {
  readonly #desk: number;
  readonly #library: string;
  readonly #answers: () => Promise<unknown>;
  #queue: Promise<unknown> = Promise.resolve();

  /** @param answers settles when the main thread has had a turn of its event loop */
  constructor(desk: number, library: string, answers: () => Promise<unknown>) {
    this.#desk = desk;
    this.#library = library;
    this.#answers = answers;
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
    const session = new Session();
    session.connectToMainThread();
    const post = (method: string, params: object = {}): Promise<unknown> =>
      new Promise((resolve, reject) => {
        session.post(method, params, (error, result) =>
          error === null ? resolve(result) : reject(new Error(`${method}: ${error.message}`)),
        );
      });
    try {
      await within(STOP, post('Debugger.enable'));
      const paused = await this.#stopOutsideCurio(session, post);
      if (paused === null) return undefined;
      let terminateOnResume = false;
      const held: Held = {
        ask: (question, ...args) => this.#ask(post, paused, question, args),
        terminate: () => {
          terminateOnResume = true;
        },
      };
      try {
        return await work(held);
      } finally {
        const resumed = once(session, 'Debugger.resumed');
        void post('Debugger.resume', { terminateOnResume }).then(undefined, neglect);
        await within(GO, resumed);
        // Nothing may be asked of the inspector before that has taken effect: it would hit the answer instead.
        if (terminateOnResume) await within(GO, this.#answers());
      }
    } finally {
      await within(GO, post('Debugger.disable').then(undefined, neglect));
      session.disconnect();
    }
  }

  async #stopOutsideCurio(
    session: Session,
    post: (method: string, params?: object) => Promise<unknown>,
  ): Promise<Paused | null> {
    for (let tries = 1; ; tries++) {
      const stopped = once(session, 'Debugger.paused');
      await within(STOP, post('Debugger.pause'));
      const paused = (await within(STOP, stopped)) as Paused | null;
      if (paused === null || tries === TRIES || !this.#isCurio(paused.callFrames[0]?.url ?? ''))
        return paused;
      const resumed = once(session, 'Debugger.resumed');
      void post('Debugger.resume').then(undefined, neglect);
      await within(GO, resumed);
      await new Promise((resolve) => setTimeout(resolve, tries));
    }
  }

  #isCurio(url: string): boolean {
    return url.replace('file://', '').startsWith(`${this.#library}/`);
  }

  async #ask(
    post: (method: string, params?: object) => Promise<unknown>,
    paused: Paused,
    question: string,
    args: unknown[],
  ): Promise<unknown> {
    const call = [question, ...args].map((arg) => JSON.stringify(arg)).join(', ');
    const { result, exceptionDetails } = (await post('Debugger.evaluateOnCallFrame', {
      callFrameId: paused.callFrames[0]!.callFrameId,
      expression: `globalThis[Symbol.for('curio.desks')][${this.#desk}].ask(${call})`,
      returnByValue: true,
    })) as { result: { value: string }; exceptionDetails?: { text: string } };
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text);
    const reply = JSON.parse(result.value) as { value: unknown } | { error: string };
    if ('error' in reply) throw new Error(reply.error);
    return reply.value;
  }
}

/** Who waits for it has its own way to learn of it: there are no tasks in this thread. */
function neglect(): void {
  // Nothing to do.
}

function once(session: Session, event: string): Promise<unknown> {
  return new Promise((resolve) =>
    session.once(event, (message: { params: unknown }) => resolve(message.params)),
  );
}

/** Null if that takes longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | null> {
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
