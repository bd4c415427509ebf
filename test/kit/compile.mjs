// The thread in which blocks.ts has programs compiled: that takes seconds, and many on a busy machine, in which the test's own
// thread has to go on, or the watchdog ends it. Gets the root of the project and texts by name, and answers with what is
// wrong with them.

import { parentPort, workerData } from 'node:worker_threads';
import ts from 'typescript';

/** @type {{ root: string, texts: Map<string, string> }} */
const { root, texts } = workerData;

const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: ['x.ts'] }, ts.sys, root);
Object.assign(options, { noUnusedLocals: false, noUnusedParameters: false });

const real = ts.createCompilerHost(options);
/** @type {ts.CompilerHost} */
const host = {
  ...real,
  fileExists: (name) => texts.has(name) || real.fileExists(name),
  readFile: (name) => texts.get(name) ?? real.readFile(name),
  getSourceFile(name, ...rest) {
    const text = texts.get(name);
    return text === undefined
      ? real.getSourceFile(name, ...rest)
      : ts.createSourceFile(name, text, rest[0], true);
  },
};

const program = ts.createProgram([...texts.keys()], options, host);
const complaints = [...texts.keys()].flatMap((name) => {
  const file = /** @type {ts.SourceFile} */ (program.getSourceFile(name));
  const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  return found.map(({ start = 0, messageText }) => ({
    name,
    line: file.getLineAndCharacterOfPosition(start).line,
    message: ts.flattenDiagnosticMessageText(messageText, '\n'),
  }));
});
parentPort?.postMessage(complaints);
