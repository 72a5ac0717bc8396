/**
 * A ledger as a relayer sees it: what it says of other chains, the proofs of that, and transactions submitted one after the other.
 * Nothing that it says is believed by the other chain; the proofs are verified there. Boundary: HTTP. docs/sharding.md.
 */
import { z } from 'zod';
import { parseAddressText } from '../../application/ledger/address.ts';
import type { Transfer } from '../../application/ledger/chains.ts';
import { type Payload, signTransaction } from '../../application/ledger/transaction.ts';
import { type Client, connect, type OperationResult } from '../../client/index.ts';
import type { EpochProof, ProvenHeader } from '../../protocol/chain/types.ts';
import { parseEpochProof, parseProvenHeader, parseStateProof } from '../../protocol/light/encoding.ts';
import type { StateProof } from '../../protocol/light/types.ts';
import { PROVEN_PATH } from '../../protocol/ports/execution.ts';
import { messageOf, runtimeFailure } from '../failure.ts';
import {
  type AccountKey,
  askNonce,
  chainOf,
  FEE,
  feeMaxFor,
  type LedgerChain,
  PARAMETERS,
} from '../ledger/client.ts';
import { pause } from '../pause.ts';
import { callRpc, type RpcTarget } from '../rpc-client.ts';

/** What a chain says of another one. */
export type OtherChain = z.infer<typeof CHAIN>;

/** A transaction that was executed, and succeeded. */
export interface Submitted {
  readonly height: number;
  readonly result: OperationResult;
}

/** A pair of the state and the header that states the state's hash. */
export interface ShownPair extends ProvenPair {
  readonly header: ProvenHeader;
}

interface ProvenPair {
  readonly value: Uint8Array;
  readonly state: StateProof;
}

const units = z
  .string()
  .regex(/^-?[0-9]{1,40}$/)
  .transform(BigInt);
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const CHAIN = z.object({
  slot: z.int().min(0),
  chain_id: z.string(),
  genesis_hash: hex32.nullable(),
  trusted_epoch: z.string().transform(Number).pipe(z.int().min(0)),
  sent: units,
  received: units,
  next_to_send: units,
  first_unacknowledged: units,
  next_to_receive: units,
  halted_at: units.nullable(),
});
const TRANSFERS = z.array(
  z.object({ sequence: units, from: z.string(), to: z.string(), amount: units, key: z.string() }),
);
const ACCOUNT = z.object({ nonce: units, balance: units });
const SUPPLY = z.object({ genesis: units, net_received: units.optional(), burned: units });
const PROVEN_QUERY = z.object({
  response: z.object({
    ...{ code: z.number(), log: z.string(), height: z.string().transform(Number) },
    value: z.string().nullable(),
    proofOps: z.object({ ops: z.array(z.object({ type: z.string(), data: z.string() })) }).nullable(),
  }),
});
const PROVEN_HEADER = z.object({ proof: z.string() });
const STATUS = z.object({
  sync_info: z.object({
    latest_block_height: z
      .string()
      .regex(/^[0-9]{1,15}$/)
      .transform(Number),
  }),
});
const EPOCH_PROOFS = z.object({ current: z.string().transform(Number), proofs: z.array(z.string()) });

/** `type` of the operation that proves a value. @source docs/protocol/light-client.md */
const PRESENT_PROOF = 'althing:pair/v1';
/** Blocks above a state until a header states its hash. Two without faults. @unit heights @source chosen: beyond, a newer state is asked for */
const STATED_WITHIN = 32;
/** For that header. @unit ms @source several empty_block_intervals */
const STATED_WAIT_MS = 10_000;
/** Between two looks for it. @unit ms */
const LOOK_MS = 20;
/** From the newest height to the last one of a relayer's transaction: one that is lost holds up those behind it so long. @unit heights */
const LIFETIME_HEIGHTS = 200;

/** What one of the endpoints gives as a header. */
export interface NodeHeader {
  /** Its place among them. */
  readonly node: number;
  readonly header: ProvenHeader;
}

export class ChainView {
  readonly endpoints: readonly string[];
  readonly ledger: LedgerChain;
  readonly #client: Client;
  readonly #signal: AbortSignal;
  /** One transaction after the other: each has the account's next nonce. */
  #lane: Promise<unknown> = Promise.resolve();
  #turn = 0;

  private constructor(
    endpoints: readonly string[],
    ledger: LedgerChain,
    client: Client,
    signal: AbortSignal,
  ) {
    this.endpoints = endpoints;
    this.ledger = ledger;
    this.#client = client;
    this.#signal = signal;
  }

  /** @throws in words where no endpoint answers as a ledger */
  static async open(endpoints: readonly string[], signal: AbortSignal): Promise<ChainView> {
    const client = connect({ endpoints });
    try {
      const ledger = chainOf(await queried(client, '/parameters', '', PARAMETERS));
      return new ChainView(endpoints, ledger, client, signal);
    } catch (cause) {
      client.close();
      throw cause;
    }
  }

  get chainId(): string {
    return this.ledger.domain.chainId;
  }

  get genesisHash(): Uint8Array {
    return this.ledger.domain.genesisHash;
  }

  get #targets(): readonly RpcTarget[] {
    return this.endpoints.map((url) => ({ url, token: undefined }));
  }

  close(): void {
    this.#client.close();
  }

  /** What it says of all that its genesis names. */
  chains(): Promise<readonly OtherChain[]> {
    return queried(this.#client, '/chains', '', z.array(CHAIN));
  }

  async about(chainId: string): Promise<OtherChain> {
    const found = (await this.chains()).find((chain) => chain.chain_id === chainId);
    if (found !== undefined) return found;
    throw runtimeFailure(
      `the genesis of ${this.chainId} names no chain ${chainId}: nothing can be carried between them`,
    );
  }

  /** Coins that came less those that went, and those of the genesis. @unit units */
  supply(): Promise<z.infer<typeof SUPPLY>> {
    return queried(this.#client, '/supply', '', SUPPLY);
  }

  account(address: string): Promise<z.infer<typeof ACCOUNT>> {
    return queried(this.#client, '/account', address, ACCOUNT);
  }

  /** From `first` on, as many as one transaction carries; the key of the last. */
  async outbox(
    to: Uint8Array,
    first: bigint,
  ): Promise<{ readonly transfers: readonly Transfer[]; readonly lastKey: string | undefined }> {
    const name = Buffer.from(to).toString('hex');
    const found = await queried(this.#client, '/outbox', `${name}/${first}`, TRANSFERS);
    const transfers = found.map(({ from, to: recipient, amount }) => ({
      ...{ from: addressIn(from), to: addressIn(recipient) },
      amount,
    }));
    return { transfers, lastKey: found.at(-1)?.key };
  }

  /** A pair of the state, as soon as a committed header states its hash. @param key in hexadecimal */
  async shown(key: string): Promise<ShownPair> {
    const until = performance.now() + STATED_WAIT_MS;
    while (!this.#signal.aborted && performance.now() < until) {
      const { height, ...pair } = await this.#proven(key);
      const header = await this.#headerStating(height, until);
      if (header !== undefined) return { header, ...pair };
    }
    throw runtimeFailure(
      `${this.chainId}: no header has stated the state within ${STATED_WAIT_MS / 1_000} s`,
    );
  }

  /** Some header of the first epoch. */
  async firstHeader(): Promise<ProvenHeader> {
    // The end of the first epoch is in it too, and is kept longer than its beginning.
    const header = (await this.#header(1)) ?? (await this.epochs(0)).proofs[0]?.last;
    if (header !== undefined) return header;
    throw runtimeFailure(
      `${this.chainId} proves no block of its first epoch: ask a node that has the whole chain`,
    );
  }

  /**
   * Of the newest height of each endpoint, the highest first, what all that have come so far give as its header. One that is behind,
   * or says so, is in the way of no two others.
   */
  async headersOfEach(): Promise<readonly (readonly NodeHeader[])[]> {
    const tips = await answered(
      this.#targets.map(async (target, node) => {
        const { sync_info: tip } = await callRpc(target, 'status', {}, STATUS);
        return { target, node, height: tip.latest_block_height };
      }),
    );
    const heights = [...new Set(tips.map(({ height }) => height))].sort((left, right) => right - left);
    return Promise.all(
      heights.map((height) =>
        answered(
          tips
            .filter((tip) => tip.height >= height)
            .map(async ({ target, node }) => ({ node, header: await headerAt(target, height) })),
        ),
      ),
    );
  }

  /** The number of the epoch that goes on, and how those from `from` on ended. */
  async epochs(from: number): Promise<{ readonly current: number; readonly proofs: readonly EpochProof[] }> {
    const { current, proofs } = await this.#call(
      'althing_epoch_proofs',
      { from: String(from) },
      EPOCH_PROOFS,
    );
    return {
      current,
      proofs: proofs.flatMap((text) => {
        const proof = parseEpochProof(bytesOf(text));
        return proof === 'malformed' ? [] : [proof];
      }),
    };
  }

  /** Waits for those before it. Rejects in words where it was not executed, or failed. */
  submit(key: AccountKey, payload: Payload): Promise<Submitted> {
    const next = this.#lane.then(() => this.#submit(key, payload));
    this.#lane = next.catch(() => undefined);
    return next;
  }

  async #submit(key: AccountKey, payload: Payload): Promise<Submitted> {
    const { height } = await this.#client.status();
    const nonce = await askNonce(this.#targets, key.address);
    const fee = await queried(this.#client, '/fee', '', FEE);
    const lastHeight = height + LIFETIME_HEIGHTS;
    const unsigned = { publicKey: key.publicKey, nonce, lastHeight: BigInt(lastHeight), tip: 0n, payload };
    const signed = signTransaction(
      { ...unsigned, feeMax: feeMaxFor(fee, payload.kind) },
      key.secret,
      this.ledger.domain,
    );
    const operation = await this.#client.submit(signed, { expiresAtHeight: lastHeight });
    const outcome = await operation.outcome;
    if (outcome.status === 'committed' && outcome.result.code === 0)
      return { height: outcome.height, result: outcome.result };
    const words =
      outcome.status === 'committed'
        ? `failed: ${outcome.result.log} (code ${outcome.result.code})`
        : outcome.status === 'rejected'
          ? `was refused: ${outcome.reason}`
          : `expired at height ${outcome.height}`;
    throw runtimeFailure(`${this.chainId}: a ${payload.kind} ${words}`);
  }

  async #proven(key: string): Promise<ProvenPair & { readonly height: number }> {
    const { response } = await this.#call(
      'abci_query',
      { path: PROVEN_PATH, data: key, prove: true },
      PROVEN_QUERY,
    );
    const [operation] = response.proofOps?.ops ?? [];
    const state = operation?.type === PRESENT_PROOF ? parseStateProof(bytesOf(operation.data)) : 'malformed';
    if (state !== 'malformed')
      return { height: response.height, value: bytesOf(response.value ?? ''), state };
    throw runtimeFailure(
      `${this.chainId} proves no pair ${key.slice(0, 16)}… of its state yet: ${response.log}`,
    );
  }

  /** Undefined where a later state is stated, or none in time. */
  async #headerStating(height: number, until: number): Promise<ProvenHeader | undefined> {
    for (let at = height + 1; at <= height + STATED_WITHIN; ) {
      const header = await this.#header(at);
      const stated = header?.path[0].header.executed.height;
      if (header !== undefined && stated === height) return header;
      if (stated !== undefined && stated > height) return undefined;
      if (stated !== undefined) at += 1;
      else if (this.#signal.aborted || performance.now() > until) return undefined;
      else await pause(LOOK_MS, this.#signal);
    }
    return undefined;
  }

  /** Undefined where it is not committed yet. */
  async #header(height: number): Promise<ProvenHeader | undefined> {
    const answer = await this.#call('althing_proven_header', { height: String(height) }, PROVEN_HEADER).catch(
      () => undefined,
    );
    const header = answer === undefined ? 'malformed' : parseProvenHeader(bytesOf(answer.proof));
    return header === 'malformed' || header.path[0].header.height !== height ? undefined : header;
  }

  /** Of one endpoint after the other; the next call begins with the one that answered. */
  async #call<Result>(
    method: string,
    params: Readonly<Record<string, unknown>>,
    schema: z.ZodType<Result>,
  ): Promise<Result> {
    let failure: unknown;
    for (const _ of this.endpoints) {
      const url = this.endpoints[this.#turn % this.endpoints.length] ?? '';
      try {
        return await callRpc({ url, token: undefined }, method, params, schema);
      } catch (cause) {
        failure = cause;
        this.#turn += 1;
      }
    }
    throw runtimeFailure(messageOf(failure));
  }
}

/** Those that do not answer, or nothing that can be read, are left out. */
async function answered<Result>(asked: readonly Promise<Result>[]): Promise<readonly Result[]> {
  const settled = await Promise.allSettled(asked);
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

/** Rejects where it has none. */
async function headerAt(target: RpcTarget, height: number): Promise<ProvenHeader> {
  const { proof } = await callRpc(target, 'althing_proven_header', { height: String(height) }, PROVEN_HEADER);
  const header = parseProvenHeader(bytesOf(proof));
  if (header !== 'malformed' && header.path[0].header.height === height) return header;
  throw runtimeFailure(`${target.url} gives no header of height ${height}`);
}

async function queried<Value>(
  client: Client,
  path: string,
  data: string,
  schema: z.ZodType<Value>,
): Promise<Value> {
  const { code, log, value } = await client.query(path, data).catch((cause: unknown) => {
    throw runtimeFailure(messageOf(cause));
  });
  if (code !== 0) throw runtimeFailure(`${path}: ${log} (code ${code})`);
  const checked = schema.safeParse(jsonOf(new TextDecoder().decode(value)));
  if (checked.success) return checked.data;
  throw runtimeFailure(`a node answers ${path} in another shape than a ledger does: is it of this version?`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function addressIn(text: string): Uint8Array {
  const address = parseAddressText(text);
  if ('problem' in address) throw runtimeFailure(address.problem);
  return address;
}

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
