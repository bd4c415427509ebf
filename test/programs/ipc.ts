// Two processes that talk over Node's IPC channel: this program forks itself.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EOFError, run } from 'curio';
import { Connection } from 'curio/channel';

async function parent() {
  const child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const connection = Connection.from(child);
  console.log('parent:', await connection.recv());
  await connection.send('hello from the parent');
  child.stdout!.pipe(process.stdout, { end: false });
  // The child says that it has heard it.
  await connection.recv();
  await connection.close();
  await new Promise((resolve) => child.stdout!.once('end', resolve));
  console.log('parent done');
}

async function child() {
  const connection = Connection.from(process);
  await connection.send('hello from the child');
  console.log('child:', await connection.recv());
  await connection.send('heard');
  await connection.recv().catch((error) => {
    if (error instanceof EOFError) console.log('child: the end');
  });
}

await run(process.send ? child : parent);
