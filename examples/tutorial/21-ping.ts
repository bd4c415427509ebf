// Watching another program.
//
// `Popen` starts a program, and what it writes is a stream like a socket's: here its lines are printed as they come, and other
// tasks run in the meantime. `await using` waits for the program at the end of the block, so that nothing of it is left.
//
// Another host may be given as an argument. Ctrl-C ends both programs: `ping` by itself goes on for ever.

import { run } from 'curio';
import { PIPE, Popen } from 'curio/subprocess';

async function main(host: string) {
  await using ping = new Popen(['ping', host], { stdout: PIPE });
  for await (const line of ping.stdout) {
    console.log('Got:', line.toString('ascii').trimEnd());
  }
  console.log('ping ended with', await ping.wait());
}

await run(main, process.argv[2] ?? 'www.python.org');
