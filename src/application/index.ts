/** `althing/application`: what one writes an application with. docs/applications.md. */

export { GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
export type { Digest, ExecutedState, Height } from '../protocol/chain/types.ts';
export type {
  Application,
  ApplicationInfo,
  ApplicationSnapshot,
  BlockResult,
  CheckResult,
  FinalizeRequest,
  InitChainRequest,
  KeyProof,
  ProvenValue,
  QueryResult,
  SenderPlace,
  SnapshotChunks,
  SnapshotOffer,
  ValidatorUpdate,
} from '../protocol/ports/application.ts';
export type { ApplicationEvent, TransactionResult } from '../protocol/ports/storage.ts';
export { appHashOf, checkResult, transactionResult } from './answers.ts';
export { type KvOptions, kv } from './kv/rules.ts';
export { type Rehearsal, type RehearsalOptions, rehearse } from './rehearsal.ts';
export { type RemoteOptions, remoteApplication } from './socket/remote.ts';
export { type ServedApplication, type ServeOptions, serveApplication } from './socket/serve.ts';
export { type StateOptions, stateApplication } from './state/application.ts';
export type { BlockContext, Pair, StateReader, StateRules, StateWriter } from './state/rules.ts';
