/*
 * The threads' modules, each one self-contained. The build puts them here, as text, for programs that are bundled with
 * Curio into one file, and so do the tests; in the sources there are none.
 */

export const built: ((name: string) => string) | null = null;
