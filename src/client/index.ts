/** `althing/client`: submits operations to a network and tells the one end of each. In Node and in a browser. docs/client.md. */
export { type Client, connect } from './client.ts';
export {
  ClientClosed,
  type ClientOptions,
  type EndpointHealth,
  HistoryNotHeld,
  type NetworkStatus,
  NotAnswered,
  type Operation,
  type OperationEvent,
  type OperationResult,
  type Outcome,
  PendingFull,
  type QueryAnswer,
  type SubmitOptions,
} from './types.ts';
