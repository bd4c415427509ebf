// A chat: what one says, all the others hear.
//
//     npx tsx examples/programs/chat.ts 25000         and in other windows: nc localhost 25000
//
// Each client has two tasks. One reads what it says; the other writes what it is to hear, which waits for it in a queue. A client
// that does not read what it is sent has a full queue after a while, and is thrown out: nobody ever waits for it. Throwing out is cancelling
// its handler, which may stand anywhere, and still says good-bye to the others.

import { currentTask, Queue, run, type Task, taskGroup, tcpServer } from 'curio';
import type { SocketStream } from 'curio/io';
import type { Socket } from 'curio/socket';

/** What may wait for a client, in lines. */
const LINES = 1000;

interface Member {
  name: string;
  inbox: Queue<string>;
  task: Task;
}

const members = new Set<Member>();

/** Tells all but one. It waits for nobody. */
async function tell(text: string, speaker: Member) {
  for (const member of members) {
    if (member === speaker) continue;
    if (member.inbox.full()) await member.task.cancel({ blocking: false });
    else await member.inbox.put(text);
  }
}

async function listen(stream: SocketStream, member: Member) {
  for await (const line of stream) await tell(`${member.name}: ${line.toString().trimEnd()}\n`, member);
}

async function speak(stream: SocketStream, { inbox }: Member) {
  for await (const text of inbox) await stream.write(text);
}

async function welcome(client: Socket) {
  const stream = client.asStream();
  await stream.write('Who are you?\n');
  const name = (await stream.readline()).toString().trim();
  const member = { name, inbox: new Queue<string>(LINES), task: await currentTask() };
  await stream.write(`Here are: ${[...members].map(({ name }) => name).join(', ') || 'nobody'}\n`);
  members.add(member);
  try {
    await tell(`${name} has come\n`, member);
    // Over as soon as one of them is.
    await taskGroup({ wait: 'any' }, async (group) => {
      await group.spawn(listen, stream, member);
      await group.spawn(speak, stream, member);
    });
  } finally {
    members.delete(member);
    await tell(`${name} has gone\n`, member);
  }
}

await run(tcpServer, '', Number(process.argv[2] ?? 25000), welcome);
