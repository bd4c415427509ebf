// Messages between programs: the one that accepts.
//
// A channel is a place where two programs meet, and a connection what they then talk over: whole messages go in and come
// out, not bytes. Both have to know the same key. Start this program, and in another terminal channel-consumer.ts.
// Another port may be given as an argument.

import { Channel, run } from 'curio';

async function producer(port: number) {
  await using channel = new Channel(['localhost', port]);
  await using connection = await channel.accept({ authkey: 'peekaboo' });
  for (let i = 0; i < 10; i++) await connection.send(i);
  await connection.send(null); // no more
}

await run(producer, Number(process.argv[2] ?? 30000));
