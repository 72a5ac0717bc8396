/**
 * `althing/client/light`: verifies what nodes say, in Node and in a browser; apart from `althing/client`, since it has curves with it
 * that are many times the size of a client. docs/client.md, "The light client".
 */
export { LightClient } from './light-client.ts';
export {
  type EndpointProblem,
  ForkFound,
  LightClientClosed,
  type LightClientOptions,
  type LightEndpoint,
  NotProven,
  TrustExpired,
  type TrustedGenesis,
  type TrustedPoint,
  type VerifiedHeader,
  type VerifiedPair,
  type VerifiedTransaction,
} from './types.ts';
