/*
 * The portable driver: handles over Node's own net and dgram, for machines without the addon.
 */

import { NotSupportedError } from '../../errors.ts';
import type { Readiness } from '../../traps.ts';
import type { Driver, Handle } from '../driver.ts';

export class PortableDriver implements Driver {
  readonly name = 'portable';

  open(): Handle {
    throw new NotSupportedError('The portable driver has no such socket.');
  }

  pair(): [Handle, Handle] {
    throw new NotSupportedError('socketpair() needs the posix driver.');
  }

  adopt(): Handle {
    throw new NotSupportedError('Descriptors need the posix driver.');
  }

  readiness(_fd: number, create: boolean): Readiness | null {
    if (!create) return null;
    throw new NotSupportedError('Waiting for a bare descriptor needs the posix driver.');
  }
}
