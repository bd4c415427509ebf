/*
 * How Curio's objects look in console.log() and at the prompt: as their toString() has it. Their state is private, so that
 * Node would show none of it.
 */

/** Node prints objects of this class as what their `toString()` gives. */
export function printedAsText(cls: { readonly prototype: object }): void {
  Object.defineProperty(cls.prototype, Symbol.for('nodejs.util.inspect.custom'), {
    value(this: object): string {
      return String(this);
    },
    writable: true,
    configurable: true,
  });
}
