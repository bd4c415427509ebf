/*
 * What a function looks like on its way to another thread or process: only data
 * that structured clone takes. Nothing here knows how it is packed or unpacked.
 */

/** A function, and everything it takes along. */
export interface Shipment {
  /** The same number from the same sender is the same shipment. */
  readonly id: number;
  /** True if the function takes no values along, so that one unpacking serves all calls. */
  readonly lasting: boolean;
  /** Universal objects come along. */
  readonly universal: boolean;
  /** Where in `parts` the function itself is. */
  readonly root: number;
  readonly parts: readonly Part[];
}

/** A function or class of a shipment. Parts name each other by their place, so they may go round in circles. */
export type Part = SourcePart | ReferencePart | NamedPart | BoundPart;

/** Text that is compiled again. */
export interface SourcePart {
  readonly by: 'source';
  readonly name: string;
  readonly text: string;
  readonly shape: Shape;
  readonly strict: boolean;
  readonly captured: readonly (readonly [name: string, Freight])[];
  /** Names it uses that were found nowhere but among the globals, if there. */
  readonly globals: readonly string[];
  /** What stack traces call the script, and where in it the text stands, from 0. */
  readonly script: string;
  readonly line: number;
  readonly column: number;
  /** The text imports modules itself, relative to `script`. */
  readonly imports: boolean;
}

/** An export of a module, which the other side imports. */
export interface ReferencePart {
  readonly by: 'reference';
  readonly name: string;
  /** A `file:` URL, or whatever `import()` takes. */
  readonly module: string;
  /** The file whose `import()` finds it; null if it is found from everywhere. */
  readonly from: string | null;
  readonly key: string;
  /** Loaded with `require`, as the module was here. */
  readonly required: boolean;
  /** What its text must be; null if it was named explicitly. */
  readonly text: string | null;
  /** The part to take if the module is not what it is thought to be; or why there is none. */
  readonly otherwise: number | string;
}

/** Something that is there on every side under a name. */
export interface NamedPart {
  /** `'require'` and `'import'`: those of the module at that path. */
  readonly by: 'own' | 'builtin' | 'intrinsic' | 'require' | 'import';
  readonly path: readonly string[];
  /** The module as a bundler hands it out: with itself as its default. */
  readonly isNamespace?: boolean;
}

/** A function that has been bound. */
export interface BoundPart {
  readonly by: 'bound';
  readonly target: number;
  readonly self: Freight;
  readonly args: readonly Freight[];
}

/** How a function's text is made an expression. */
export type Shape = 'expression' | 'method' | 'getter' | 'setter';

/** What a function has captured. */
export type Freight =
  | { readonly value: unknown }
  | { readonly part: number }
  /** The bytes of a Buffer, which would arrive without its class. */
  | { readonly buffer: Uint8Array }
  /** The handle of an object that crosses by it. */
  | { readonly shared: unknown }
  | { readonly object: readonly (readonly [key: string, Freight])[]; readonly array: boolean };
