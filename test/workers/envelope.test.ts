// Errors on their way between threads: what arrives is what was thrown, as near as can be.

import { CurioError, EOFError, TaskTimeout as OurTimeout, TaskTimeout } from 'curio';
import { SSLCertVerificationError, SSLError } from 'curio/ssl';
import { CalledProcessError } from 'curio/subprocess';
import { describe, expect, test } from 'vitest';
import { openEnvelope, sealEnvelope } from '../../src/workers/envelope.ts';

const arrived = (error: unknown): unknown => openEnvelope(structuredClone(sealEnvelope(error)));

describe('an error arrives', () => {
  test.each([TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, Error])(
    'as a %o',
    (cls) => {
      const error = arrived(new cls('why')) as Error;
      expect(error).toBeInstanceOf(cls);
      expect(error.constructor).toBe(cls);
      expect(error.message).toBe('why');
    },
  );

  test('with code, causes, other properties, and no more', () => {
    const cause = new EOFError('ended', { cause: 'who knows' });
    const error = Object.assign(new Error('no', { cause }), {
      code: 'ENO',
      errno: -5,
      list: [1],
      fn: () => 1,
    });
    const copy = arrived(error) as Error;
    expect(Object.keys(copy).sort()).toEqual(['code', 'errno', 'list']);
    expect(copy.cause).toBeInstanceOf(EOFError);
    expect(copy.cause).toMatchObject({ message: 'ended', cause: 'who knows' });
  });

  test("as Curio's own class, with its code and its clock", () => {
    const error = new TaskTimeout('late');
    error.clock = 5;
    const copy = arrived(error);
    expect(copy).toBeInstanceOf(TaskTimeout);
    expect(copy).toMatchObject({ code: 'ERR_CURIO_TASK_TIMEOUT', clock: 5, requestedBy: null });
  });

  test('as a class that is made of more than a message, with all of that', () => {
    const failed = arrived(
      new CalledProcessError(3, ['tool', 'x'], Buffer.from('out')),
    ) as CalledProcessError;
    expect(failed).toBeInstanceOf(CalledProcessError);
    expect(failed).toBeInstanceOf(CurioError);
    expect(failed.message).toBe(new CalledProcessError(3, ['tool', 'x']).message);
    expect(Object.keys(failed)).toEqual(['returncode', 'cmd', 'stdout', 'stderr']);
    expect(failed).toMatchObject({ name: 'CalledProcessError', returncode: 3, cmd: ['tool', 'x'] });
    expect([Buffer.isBuffer(failed.stdout), String(failed.output)]).toEqual([true, 'out']);
    expect(failed.stack).toMatch(/^CalledProcessError: /);
    const tls = arrived(
      new SSLCertVerificationError('no', { code: 'CERT_HAS_EXPIRED', verifyMessage: 'expired' }),
    );
    expect(tls).toBeInstanceOf(SSLCertVerificationError);
    expect(tls).toMatchObject({ code: 'CERT_HAS_EXPIRED', verifyMessage: 'expired', library: 'SSL' });
    expect(arrived(new SSLError('broken'))).toBeInstanceOf(SSLError);
  });

  test("as Curio's, also from a second copy of Curio and by way of a subclass", () => {
    class CurioError extends Error {}
    CurioError.prototype.name = 'CurioError';
    class TaskTimeout extends CurioError {}
    TaskTimeout.prototype.name = 'TaskTimeout';
    class Mine extends TaskTimeout {}
    const copy = arrived(new Mine('late'));
    expect(copy).toBeInstanceOf(OurTimeout);
    expect(copy).toMatchObject({ message: 'late', code: 'ERR_CURIO_TASK_TIMEOUT' });
  });

  test('as an AggregateError or a DOMException', () => {
    const both = arrived(new AggregateError([new TypeError('a'), 5], 'both')) as AggregateError;
    expect(both).toBeInstanceOf(AggregateError);
    expect(both.errors).toEqual([new TypeError('a'), 5]);
    const abort = arrived(new DOMException('stop', 'AbortError')) as DOMException;
    expect(abort).toBeInstanceOf(DOMException);
    expect(abort.name).toBe('AbortError');
  });

  test('with the errors among its properties, in a circle too', () => {
    const error = Object.assign(new Error('both failed'), { last: new EOFError('ended'), self: {} });
    error.self = error;
    const copy = arrived(error) as typeof error;
    expect(copy.last).toBeInstanceOf(EOFError);
    expect(copy.self).toMatchObject({ message: 'both failed', self: { last: { message: 'ended' } } });
  });

  test('as a SuppressedError, or as what a compiler makes one of', () => {
    const parts = { error: new TaskTimeout('late'), suppressed: 'text' };
    const made = [Object.assign(new Error('both'), { name: 'SuppressedError', ...parts })];
    if (typeof SuppressedError === 'function')
      made.push(new SuppressedError(parts.error, parts.suppressed, 'both') as never);
    for (const both of made) {
      const copy = arrived(both) as typeof both;
      expect(copy.constructor).toBe(both.constructor);
      expect(copy).toMatchObject({ name: 'SuppressedError', message: 'both', suppressed: 'text' });
      expect(copy.error).toBeInstanceOf(TaskTimeout);
    }
  });

  test('also if its causes go round in a circle, or its getters throw', () => {
    const circle = new Error('round');
    circle.cause = circle;
    expect((arrived(circle) as Error).message).toBe('round');
    const nasty = new Error('nasty');
    Object.defineProperty(nasty, 'cause', {
      get() {
        throw new Error('got you');
      },
    });
    expect(arrived(nasty)).toBeInstanceOf(Error);
  });
});

test('what is no error arrives as it is, or as text if it cannot be copied', () => {
  expect(arrived({ a: [1] })).toEqual({ a: [1] });
  expect(arrived(undefined)).toBe(undefined);
  expect(arrived(() => 1)).toBe('() => 1');
  expect(arrived(Symbol('x'))).toBe('Symbol(x)');
});
