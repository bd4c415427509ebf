// Real Python's `open()`, for tests that want to know what it does: a process that does lists of file operations and tells
// their results. It must know nothing of Curio.

import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** True if this machine has a python3. */
export const hasPython = (() => {
  try {
    execFileSync('python3', ['-c', ''], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // Then these tests are left out.
  }
})();

/** A method of a file and its arguments; `['seekto', i]` seeks to what the operation number `i` told. */
export type Operation = [method: string, ...args: unknown[]];

export interface Job {
  path: string;
  mode: string;
  newline?: string | null;
  encoding?: string | null;
  operations: Operation[];
}

const program = `
import base64, json, sys

def plain(value):
    if isinstance(value, (bytes, bytearray)): return {'bytes': base64.b64encode(value).decode()}
    if isinstance(value, list): return [plain(item) for item in value]
    return value

def unplain(value):
    return base64.b64decode(value['bytes']) if isinstance(value, dict) else value

def do(file, method, args, results):
    if method == 'seekto':
        return file.seek(results[args[0]])
    if method in ('readinto', 'readinto1'):
        target = bytearray(args[0])
        n = getattr(file, method)(target)
        return [n, bytes(target[:n])]
    if method == 'writelines':
        return file.writelines([unplain(item) for item in args[0]])
    return getattr(file, method)(*[unplain(arg) for arg in args])

for line in sys.stdin:
    job = json.loads(line)
    results = []
    try:
        with open(job['path'], job['mode'], newline=job['newline'], encoding=job['encoding']) as file:
            for method, *args in job['operations']:
                try:
                    results.append(do(file, method, args, results))
                except Exception as error:
                    results.append({'error': type(error).__name__})
    except Exception as error:
        results.append({'error': type(error).__name__})
    with open(job['path'], 'rb') as file:
        results.append(file.read())
    print(json.dumps([plain(result) for result in results]), flush=True)
`;

export class Python {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#child = spawn('python3', ['-c', program]);
    this.#child.stderr.pipe(process.stderr);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The results of the operations, and after them all bytes of the file. */
  async do({ newline = null, encoding = null, ...job }: Job): Promise<unknown[]> {
    const plain = (_: string, value: unknown) =>
      value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value;
    const operations = job.operations.map((operation) =>
      operation.map((it) => (it instanceof Uint8Array ? plain('', it) : it)),
    );
    this.#child.stdin.write(`${JSON.stringify({ ...job, operations, newline, encoding }, plain)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('Python has ended.');
    const unplain = (_: string, it: unknown) =>
      typeof it === 'object' && it !== null && 'bytes' in it ? Buffer.from(it.bytes as string, 'base64') : it;
    return JSON.parse(value, unplain) as unknown[];
  }

  end(): void {
    this.#child.stdin.end();
  }
}
