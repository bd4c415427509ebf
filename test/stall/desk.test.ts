// The desk, where the inspector finds who answers questions about this thread's kernels.

import { Session } from 'node:inspector/promises';
import { expect, test } from 'vitest';
import { inContext } from '../kit/context.ts';

test('the inspector finds the desk of a Curio that was loaded in a context of node:vm', async () => {
  const { exports } = inContext<typeof import('../../src/stall/desk.ts')>('stall/desk.ts');
  exports.offer('how many', () => 3);
  using session = Object.assign(new Session(), {
    [Symbol.dispose](this: Session) {
      this.disconnect();
    },
  });
  session.connect();
  const desk = `globalThis[Symbol.for('curio.desks')][${exports.deskNumber()}]`;
  const { result } = await session.post('Runtime.evaluate', { expression: `${desk}.ask('how many')` });
  expect(JSON.parse(result.value)).toEqual({ value: 3 });
});
