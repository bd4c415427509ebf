// Echo over TCP: CPU time a request of the whole server process.

import {
  compile,
  measure,
  measureAnew,
  nodeServer,
  pythonServers,
  STREAM_LOOPS,
  serving,
} from './serving.mjs';

const held = { mode: 'tcp', connections: 200, bytes: 100 };
const others = [
  { mode: 'tcp', connections: 200, bytes: 16_384 },
  { mode: 'tcp', connections: 1, bytes: 100 },
  { mode: 'tcp', connections: 1, bytes: 16_384 },
];

export async function echoBenchmarks(report) {
  const generator = compile('load.c');
  const list = [
    { name: 'C epoll', command: [compile('echo.c'), 'tcp'], env: {} },
    nodeServer('net data', 'tcp'),
    nodeServer('net for await', 'tcp'),
    nodeServer('curio', 'tcp', { driver: 'posix' }),
    nodeServer('curio streams', 'tcp', { driver: 'posix', peer: 'curio streams' }),
    nodeServer('curio portable', 'tcp', { driver: 'portable' }),
    ...pythonServers('tcp'),
    ...pythonServers('tcp', [], STREAM_LOOPS),
  ];
  const tell = ({ connections, bytes }, { costs, rates }, limits = {}) => {
    const what = `${connections} connection${connections === 1 ? '' : 's'}, ${bytes} B`;
    report.costs(`echo, ${what}: CPU a request`, 'µs', costs, limits);
    report.rates(rates, 'requests/s');
  };
  const figures = await measureAnew(list, generator, held);
  tell(held, figures, { 'C epoll': 1.25, 'net data': 0.7 });
  const { 'curio portable': portable, 'net data': net } = figures.costs;
  report.ratio('portable driver against net data', portable / net, 1.3);
  await serving(list, async (servers) => {
    for (const load of others) {
      tell(load, await measure(servers, generator, load, { rounds: 5, seconds: 0.3 }));
    }
    const brief = { mode: 'brief', connections: 50, bytes: 100 };
    const { costs, rates } = await measure(servers, generator, brief, { rounds: 9, seconds: 0.3 });
    report.costs('a connection for each request of 100 B: CPU a connection', 'µs', costs, {});
    report.rates(rates, 'connections/s');
  });
}
