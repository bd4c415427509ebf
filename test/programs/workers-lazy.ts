// Does a first call make Node load what it makes only when it is looked at? Sending the function needs a look at what is global.

import { run, runInThread } from 'curio';

const limits = { round: Math.round, copy: structuredClone };
const value = await run(() => runInThread((x: number) => limits.copy(limits.round(x)), 6.7));
const loaded = (process as unknown as { moduleLoadList: string[] }).moduleLoadList;
console.log(value, loaded.filter((name) => /undici|http/.test(name)).join(' ') || 'nothing more');
