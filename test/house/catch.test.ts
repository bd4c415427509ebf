// JavaScript's `catch` catches everything, a task's cancellation too. So each one under src/ must let `CancelledError`
// through: throw again what it caught, or look whether it is a `CancelledError`, or say in a comment
// `// swallows: …` why there is none to lose. The same holds for a promise's `.catch(…)`.

import ts from 'typescript';
import { expect, test } from 'vitest';
import { lineOf, parse, readSources, type Source } from './sources.ts';

function contains(node: ts.Node, matches: (node: ts.Node) => boolean): boolean {
  return matches(node) || ts.forEachChild(node, (child) => contains(child, matches) || undefined) === true;
}

const looksForCancellation = (node: ts.Node): boolean =>
  contains(node, (it) => ts.isIdentifier(it) && it.text.includes('Cancel'));

const throwsAgain = (node: ts.Node, caught: string): boolean =>
  contains(
    node,
    (it) => ts.isThrowStatement(it) && ts.isIdentifier(it.expression) && it.expression.text === caught,
  );

// What a catch inside this one says is not this one's reason.
function explains(node: ts.Node): boolean {
  let text = node.getFullText();
  const forget = (it: ts.Node): void => {
    if (ts.isCatchClause(it)) text = text.replace(it.getFullText(), '');
    else ts.forEachChild(it, forget);
  };
  ts.forEachChild(node, forget);
  return /(\/\/|\*)[ \t]*swallows:[ \t]*\S/.test(text);
}

const nameOf = (binding: ts.Node | undefined): string =>
  binding !== undefined && ts.isIdentifier(binding) ? binding.text : '';

function swallowed({ path, tree }: Source): string[] {
  const found: string[] = [];

  const check = (node: ts.Node, caught: string): void => {
    if (looksForCancellation(node) || throwsAgain(node, caught) || explains(node)) return;
    found.push(
      `src/${path}:${lineOf(node)} swallows a CancelledError: throw it again, test for it, or say why in '// swallows: …'`,
    );
  };

  const visit = (node: ts.Node): void => {
    if (ts.isCatchClause(node)) {
      check(node, nameOf(node.variableDeclaration?.name));
    } else if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const [handler] = node.arguments;
      if (node.expression.name.text === 'catch' && handler !== undefined) {
        const isFunction = ts.isArrowFunction(handler) || ts.isFunctionExpression(handler);
        check(handler, isFunction ? nameOf(handler.parameters[0]?.name) : '');
      }
    }
    ts.forEachChild(node, visit);
  };

  visit(tree);
  return found;
}

const check = (text: string): number => swallowed(parse('sample.ts', text)).length;

test('every catch under src/ lets a CancelledError through', () => {
  expect(readSources().flatMap(swallowed)).toEqual([]);
});

test('a catch that throws again, looks for cancellation or explains itself is let through', () => {
  expect(check('try { f(); } catch (error) { clean(); throw error; }')).toBe(0);
  expect(check('try { f(); } catch (error) { if (!(error instanceof CancelledError)) log(error); }')).toBe(0);
  expect(check('try { f(); } catch {\n  // swallows: JSON.parse waits for nothing\n}')).toBe(0);
  expect(check('try { f(); }\n// swallows: a file that is not there is fine\ncatch {}')).toBe(0);
  expect(check('promise.catch((error) => { throw error; });')).toBe(0);
  expect(check('promise.catch(\n  // swallows: nobody waits any more\n  () => {},\n);')).toBe(0);
});

test('a catch that does none of these is found', () => {
  expect(check('try { f(); } catch {}')).toBe(1);
  expect(check('try { f(); } catch (error) { log(error); }')).toBe(1);
  expect(check('try { f(); } catch (error) { throw new Error("it failed", { cause: error }); }')).toBe(1);
  expect(check('try { f(); } catch {\n  // swallows:\n}')).toBe(1);
  expect(check('promise.catch(() => {});')).toBe(1);
  expect(check('try { f(); } catch { try { g(); } catch { /* swallows: nothing waits */ } }')).toBe(1);
  expect(check('try { try { f(); } catch {} } catch (error) { throw error; }')).toBe(1);
});
