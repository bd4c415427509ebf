// Messages between programs: the one that connects.
//
// See channel-producer.ts, which has to be running. A consumer that does not know the key gets an `AuthenticationError`, and
// the producer goes on waiting for one that does. Another port and key may be given as arguments.

import { AuthenticationError, Channel, run } from 'curio';

const [port = '30000', authkey = 'peekaboo'] = process.argv.slice(2);

async function consumer(channel: Channel) {
  await using connection = await channel.connect({ authkey });
  while (true) {
    const message = await connection.recv();
    if (message === null) break;
    console.log('Got:', message);
  }
}

try {
  await run(consumer, new Channel(['localhost', Number(port)]));
} catch (error) {
  if (!(error instanceof AuthenticationError)) throw error;
  console.log('Not let in:', error.message);
}
