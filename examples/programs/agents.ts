// Agents that write programs, try them, and learn from what happens.
//
// Each agent asks a model for a program, runs it, and if it fails, or goes on for too long, tells the model and asks again. Three kinds of
// trouble are met the same way, by cancelling: a program that never ends is killed when its time is up; a model that never answers is
// one of several that are asked at once, and when one has answered the other requests are aborted; and a user who has enough, by Ctrl-C or
// the limit on all of it, ends everything. Nothing is left running.
//
// The models here are made up. Real ones go in their place: any function that takes a prompt and an AbortSignal.

import {
  abortable,
  CancelledError,
  gather,
  run,
  Semaphore,
  TaskTimeout,
  taskGroup,
  timeoutAfter,
} from 'curio';
import { CalledProcessError, checkOutput, STDOUT } from 'curio/subprocess';

type Model = (prompt: string, signal: AbortSignal) => Promise<string>;

/** Requests that are made at once, of all agents together. */
const requests = new Semaphore(4);
/** How long a program may run, and how long everything may take, in seconds. */
const PATIENCE = 1;
const LIMIT = 60;
const ATTEMPTS = 4;

/** Asks all models at once. The first answer is taken, and the requests that have none yet are aborted. */
async function ask(models: Model[], prompt: string): Promise<string> {
  const group = await taskGroup<string | null>({ wait: 'object' }, async (g) => {
    for (const model of models) await g.spawn(request, model, prompt);
  });
  if (group.completed === null) throw new Error('No model answers.');
  return group.result!;
}

/** Asks one model; null if it fails. */
async function request(model: Model, prompt: string): Promise<string | null> {
  try {
    return await requests.with(() => abortable((signal) => model(prompt, signal)));
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    return null;
  }
}

/** Runs a program that nobody has looked at. */
async function attempt(code: string): Promise<string> {
  const output = await timeoutAfter(PATIENCE, () =>
    checkOutput([process.execPath, '--eval', code], { stderr: STDOUT }),
  );
  return output.toString().trim();
}

/** Works at a goal until a program has done it, and gives what happened on the way. */
async function agent(goal: string, models: Model[]): Promise<string[]> {
  const history: string[] = [];
  let prompt = goal;
  while (history.length < ATTEMPTS) {
    const code = await ask(models, prompt);
    try {
      history.push(`it prints ${await attempt(code)}`);
      return history;
    } catch (error) {
      if (error instanceof TaskTimeout) history.push('it does not end');
      else if (error instanceof CalledProcessError) history.push(reason(String(error.output)));
      else throw error;
      prompt = `${goal}\nThis was tried:\n${code}\nBut ${history.at(-1)}.`;
    }
  }
  history.push('given up');
  return history;
}

function reason(output: string): string {
  return /^\w*Error: .*$/m.exec(output)?.[0] ?? 'it fails';
}

// ---- Models ----

/** Knows a little, and learns what is wrong from the prompt. */
const novice: Model = async (prompt, signal) => {
  await pause(0.1, signal);
  if (prompt.startsWith('Sum')) {
    return prompt.includes('does not end')
      ? 'console.log([1, 2, 3].reduce((a, b) => a + b))'
      : 'for (let i = 1, sum = 0; i <= 3; ) sum += i';
  }
  if (prompt.startsWith('Sort')) {
    return prompt.includes('ReferenceError')
      ? "console.log(['pear', 'fig'].sort().join())"
      : "console.log(sorted(['pear', 'fig']))";
  }
  return 'process.exit(1)';
};

/** Has too much to do. */
const busy: Model = async () => {
  throw new Error('529 Overloaded');
};

/** Would know everything. */
const sage: Model = async (_, signal) => {
  await pause(3600, signal);
  return 'console.log(42)';
};

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

async function main(goals: string[]) {
  const histories = await timeoutAfter(LIMIT, () =>
    gather(goals.map((goal) => () => agent(goal, [busy, sage, novice]))),
  );
  for (const [i, history] of histories.entries()) console.log(`${goals[i]}: ${history.join('; ')}`);
}

await run(main, ['Sum the numbers to three', 'Sort two fruits', 'Square the circle']);

/* Prints:
Sum the numbers to three: it does not end; it prints 6
Sort two fruits: ReferenceError: sorted is not defined; it prints fig,pear
Square the circle: it fails; it fails; it fails; it fails; given up
*/
