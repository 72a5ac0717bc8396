/**
 * The node's data in the JSON shapes of CometBFT 0.38: 64-bit integers as strings, hashes in upper-case
 * hexadecimal, bytes in base64, times as RFC 3339 with up to nanoseconds. Pure.
 * Where Althing has no counterpart the field is empty; docs/operator-guide.md lists those.
 */
import { toHex } from '../base/bytes.ts';
import type { WallTime } from '../base/units.ts';
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import type { Evidence, Header, Validator, Vote } from '../protocol/chain/types.ts';
import type { KeyProof, QueryResult } from '../protocol/ports/application.ts';
import type { ApplicationEvent, CommittedBlock, TransactionResult } from '../protocol/ports/storage.ts';
import type { BlockLabel, IndexedTransaction, NodeStatus, PeerStatus, StoredBlock } from './node-port.ts';

/** Version of Althing's block format and of its peer protocol. */
const PROTOCOL_VERSION = { p2p: '1', block: '1', app: '0' };

export const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
/** Upper-case hexadecimal of bytes, or of a digest or address in lower case. */
export const upperHex = (value: Uint8Array | string): string =>
  (typeof value === 'string' ? value : toHex(value)).toUpperCase();
/** Base64 of a digest in hexadecimal. */
export const base64OfHex = (digest: string): string => Buffer.from(digest, 'hex').toString('base64');
const base64OrNull = (bytes: Uint8Array): string | null => (bytes.length === 0 ? null : base64(bytes));

/** Go's RFC3339Nano: no trailing zeros in the fraction. */
export const rfc3339 = (time: WallTime): string => new Date(time).toISOString().replace(/\.?0*Z$/, 'Z');

export const publicKeyJson = (nodeKey: Uint8Array): object => ({
  type: 'tendermint/PubKeyEd25519',
  value: base64(nodeKey),
});

/** Where there is no block. */
export const NO_BLOCK_ID = { hash: '', parts: { total: 0, hash: '' } };
/** Blocks are not split into parts here: one part, which is the block. */
const blockIdJson = (id: string): object => ({ hash: upperHex(id), parts: { total: 1, hash: upperHex(id) } });

/** CometBFT's first block has no previous one: the genesis block is not shown. */
const previousId = (header: Header): object =>
  header.height <= 1 ? NO_BLOCK_ID : blockIdJson(header.parentId);

export function headerJson(chainId: string, header: Header): object {
  return {
    version: { block: PROTOCOL_VERSION.block },
    chain_id: chainId,
    height: String(header.height),
    time: rfc3339(header.time),
    last_block_id: previousId(header),
    last_commit_hash: '',
    data_hash: upperHex(header.batchesRoot),
    validators_hash: upperHex(header.validatorsHash),
    next_validators_hash: upperHex(header.nextValidatorsHash),
    consensus_hash: '',
    app_hash: upperHex(header.executed.appHash),
    last_results_hash: '',
    evidence_hash: upperHex(header.evidenceHash),
    proposer_address: upperHex(header.proposer),
  };
}

export function blockJson(chainId: string, { committed, transactions }: StoredBlock): object {
  const { header, qc, evidence } = committed.block;
  return {
    block_id: blockIdJson(committed.id),
    block: {
      header: headerJson(chainId, header),
      data: { txs: transactions.map(base64) },
      evidence: { evidence: evidence?.map((one) => evidenceJson(one, header)) ?? [] },
      last_commit:
        header.height <= 1
          ? { height: '0', round: 0, block_id: NO_BLOCK_ID, signatures: [] }
          : { height: String(qc.height), round: qc.round, block_id: blockIdJson(qc.blockId), signatures: [] },
    },
  };
}

/** Two votes have CometBFT's form, without the powers, which a block does not state; it has no word for a hidden QC. */
function evidenceJson(evidence: Evidence, { time }: Header): object {
  const Timestamp = rfc3339(time);
  if (evidence.kind === 'DoubleVote') {
    const { first, second } = evidence;
    const value = { vote_a: voteJson(first), vote_b: voteJson(second), Timestamp };
    return { type: 'tendermint/DuplicateVoteEvidence', value };
  }
  const { vote, timeout } = evidence;
  const value = {
    vote: voteJson(vote),
    timeout: {
      round: timeout.round,
      high_qc_round: timeout.highQcRound,
      validator_address: upperHex(timeout.validator),
      signature: base64(timeout.signature),
    },
    Timestamp,
  };
  return { type: 'althing/HiddenQcEvidence', value };
}

/** CometBFT's precommit: votes have no time of their own. */
const voteJson = (vote: Vote): object => ({
  type: 2,
  height: String(vote.height),
  round: vote.round,
  block_id: blockIdJson(vote.blockId),
  validator_address: upperHex(vote.validator),
  signature: base64(vote.signature),
  parent_id: upperHex(vote.parentId),
  parent_round: vote.parentRound,
});

export function blockMetaJson(chainId: string, committed: CommittedBlock): object {
  const { header } = committed.block;
  const sum = (pick: (batch: Header['batches'][number]) => number): string =>
    String(header.batches.reduce((total, batch) => total + pick(batch), 0));
  return {
    block_id: blockIdJson(committed.id),
    block_size: sum(({ bytes }) => bytes),
    header: headerJson(chainId, header),
    num_txs: sum(({ count }) => count),
  };
}

export const eventJson = ({ type, attributes }: ApplicationEvent): object => ({ type, attributes });

export function transactionResultJson(result: TransactionResult): object {
  return {
    code: result.code,
    data: base64OrNull(result.data),
    log: result.log,
    info: '',
    gas_wanted: String(result.gasWanted),
    gas_used: String(result.gasUsed),
    events: result.events.map(eventJson),
    codespace: result.codespace,
  };
}

/** The result of a transaction that was not executed, or of a check. */
export const checkResultJson = (code: number, log: string, codespace: string): object =>
  transactionResultJson({
    code,
    data: new Uint8Array(),
    log,
    codespace,
    gasWanted: 0n,
    gasUsed: 0n,
    events: [],
  });

export const transactionJson = ({ height, executed }: IndexedTransaction): object => ({
  hash: upperHex(executed.hash),
  height: String(height),
  index: executed.index,
  tx_result: transactionResultJson(executed.result),
  tx: base64(executed.bytes),
});

export const queryResultJson = (result: QueryResult): object => ({
  code: result.code,
  log: result.log,
  info: '',
  index: '0',
  key: base64OrNull(result.key),
  value: base64OrNull(result.value),
  proofOps: result.proof === undefined ? null : { ops: [proofOpJson(result.key, result.proof)] },
  height: String(result.height),
  codespace: result.codespace,
});

/** One operation leads from the pair to the hash of the state. `data` is encoded as docs/protocol/light-client.md says. */
const proofOpJson = (key: Uint8Array, { isPresent, bytes }: KeyProof): object => ({
  type: isPresent ? PRESENT_PROOF_TYPE : ABSENT_PROOF_TYPE,
  key: base64(key),
  data: base64(bytes),
});

/** `type` of the operation that proves a value, and of the one that proves that a key is not there. */
const PRESENT_PROOF_TYPE = 'althing:pair/v1';
const ABSENT_PROOF_TYPE = 'althing:absent/v1';

export const validatorJson = (validator: Validator): object => ({
  address: upperHex(validator.address),
  pub_key: publicKeyJson(validator.nodeKey),
  voting_power: String(validator.power),
  proposer_priority: '0',
});

export function statusJson(status: NodeStatus): object {
  const { earliest, committed, executed } = status;
  const label = (name: 'latest' | 'earliest', block: BlockLabel, appHash: string): object => ({
    [`${name}_block_hash`]: upperHex(block.id),
    [`${name}_app_hash`]: upperHex(appHash),
    [`${name}_block_height`]: String(block.height),
    [`${name}_block_time`]: rfc3339(block.time),
  });
  return {
    node_info: nodeInfoJson(
      status.nodeId,
      status.peerAddress,
      status.chainId,
      status.version,
      status.moniker,
      status.rpcAddress,
    ),
    sync_info: {
      ...label('latest', committed, executed.appHash),
      ...label('earliest', earliest, ''),
      catching_up: status.syncing,
    },
    validator_info: {
      address: upperHex(status.nodeId),
      pub_key: publicKeyJson(status.nodeKey),
      voting_power: String(status.power),
    },
  };
}

export function peerJson(status: NodeStatus, peer: PeerStatus, now: WallTime): object {
  const nanoseconds = (BigInt(Math.max(0, Math.round(now - peer.connectedAt))) * 1_000_000n).toString();
  const monitor = (bytes: number): object => ({
    Start: rfc3339(peer.connectedAt),
    Bytes: String(bytes),
    Samples: '0',
    InstRate: '0',
    CurRate: '0',
    AvgRate: String(Math.round((bytes * 1_000) / Math.max(1, now - peer.connectedAt))),
    PeakRate: '0',
    BytesRem: '0',
    Duration: nanoseconds,
    Idle: '0',
    TimeRem: '0',
    Progress: 0,
    Active: true,
  });
  return {
    node_info: nodeInfoJson(peer.id, peer.address, status.chainId, '', peer.moniker, ''),
    is_outbound: peer.outbound,
    connection_status: {
      Duration: nanoseconds,
      SendMonitor: monitor(peer.bytesSent),
      RecvMonitor: monitor(peer.bytesReceived),
      Channels: [],
    },
    remote_ip: hostOf(peer.address),
  };
}

export function genesisJson(genesis: GenesisDocument): object {
  return {
    genesis_time: rfc3339(genesis.genesisTime),
    chain_id: genesis.chainId,
    initial_height: '1',
    consensus_params: consensusParametersJson(genesis),
    validators: genesis.validators.map((validator) => ({
      address: upperHex(validator.address),
      pub_key: publicKeyJson(validator.nodeKey),
      power: String(validator.power),
      name: validator.name,
    })),
    app_hash: '',
    app_state: genesis.application.state,
  };
}

export const consensusParametersJson = ({ parameters }: GenesisDocument): object => ({
  block: { max_bytes: String(parameters.blockBytesMax), max_gas: '-1' },
  validator: { pub_key_types: ['ed25519'] },
  version: { app: PROTOCOL_VERSION.app },
  abci: { vote_extensions_enable_height: '0' },
});

/** The host of `host:port`, without the brackets of an IPv6 address. */
export const hostOf = (address: string): string =>
  address.replace(/:[0-9]+$/, '').replace(/^\[(.*)\]$/, '$1');

function nodeInfoJson(
  id: string,
  listen: string,
  network: string,
  version: string,
  moniker: string,
  rpcAddress: string,
): object {
  return {
    protocol_version: PROTOCOL_VERSION,
    id,
    listen_addr: `tcp://${listen}`,
    network,
    version,
    channels: '',
    moniker,
    other: { tx_index: 'on', rpc_address: rpcAddress === '' ? '' : `tcp://${rpcAddress}` },
  };
}
