// The prompt of `curio` with line editing and Ctrl-C, but over pipes.

import * as curio from 'curio';
import { session } from '../../src/cli/repl.ts';

const history = process.env.CURIO_TEST_HISTORY ?? null;
const { stdin: input, stdout: output } = process;
await curio.run({ stacks: true }, () => session({ input, output, terminal: true, history }, curio));
console.log('the session has ended');
