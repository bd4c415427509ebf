/*
 * `curio/ssl`: the ssl module of the seeds, for `import * as ssl from 'curio/ssl'`.
 */

export {
  getServerCertificate,
  type ServerCertificateOptions,
  type TlsContext,
  type WrapSocketOptions,
  wrapSocket,
} from './connection.ts';
export * from './constants.ts';
export { createDefaultContext, type SniCallback, SSLContext, type VerifyLocations } from './context.ts';
export { SSLCertVerificationError, SSLError } from './error.ts';
export { type ChainFiles, type ChainText, derCertToPemCert, pemCertToDerCert } from './pem.ts';
export { SSLSocket, type WrapOptions, type Wrappable } from './socket.ts';
export type { RawContext } from './terms.ts';
