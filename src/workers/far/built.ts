/*
 * The scripts of the far side, each one self-contained. The build puts them here, as text, so that a worker can be
 * started from a bundle, too, and so do the tests; in the sources there are none.
 */

export const built: ((entry: string) => string) | null = null;
