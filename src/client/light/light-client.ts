/**
 * A client that believes no node: it holds one epoch of a chain, follows the next ones by proof, and verifies headers, pairs of
 * the state and transactions that any node shows. Boundary: fetch, timers and a clock, in Node and in a browser. docs/client.md.
 */

import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { createNobleEngine } from '../../crypto/bls/noble.ts';
import { transactionHashOf } from '../../protocol/chain/batch.ts';
import { epochHashOf } from '../../protocol/chain/canonical.ts';
import type { EpochProof, ProvenHeader } from '../../protocol/chain/types.ts';
import { describeRefusal } from '../../protocol/consensus/refusals.ts';
import { encodeProvenHeader } from '../../protocol/light/encoding.ts';
import { verifyEpochProof } from '../../protocol/light/epochs.ts';
import { verifyProvenHeader } from '../../protocol/light/headers.ts';
import { appHashBy, verifyStateProof } from '../../protocol/light/state.ts';
import { verifyTransaction } from '../../protocol/light/transactions.ts';
import type { LightRefusal, ProvenFacts, TrustedEpoch } from '../../protocol/light/types.ts';
import type { Malformed } from '../answers.ts';
import { base64OfHex, hexOf } from '../encoding.ts';
import { Endpoint } from '../endpoint.ts';
import { CLIENT_DEFAULTS, checkedEndpoints, checkedNumber } from '../options.ts';
import {
  type PairAnswer,
  readEpochsAnswer,
  readHeaderAnswer,
  readPairAnswer,
  readTransactionAnswer,
} from './answers.ts';
import { Trust } from './trust.ts';
import {
  type EndpointProblem,
  ForkFound,
  LightClientClosed,
  type LightClientOptions,
  type LightEndpoint,
  NotProven,
  type TrustedPoint,
  type VerifiedHeader,
  type VerifiedPair,
  type VerifiedTransaction,
} from './types.ts';

/** @unit ms */
const WAIT_MS = 30_000;
/** Between looks for a height that is not committed yet. @unit ms @source chosen: a fraction of a block interval */
const POLL_MS = 200;
/** A pair is asked for anew where no header states its state. @unit tries @source chosen: rounds fail in a row seldom */
const PAIR_TRIES_MAX = 5;
/** Headers looked at for one that states a height. @unit headers @source chosen: the next but one does, unless rounds fail */
const STATING_HEADERS_MAX = 32;
/** From a block to the first that may state its state. @unit heights @source "Blocks", docs/protocol/consensus.md */
const STATED_AFTER = 2;

/** Why an endpoint is asked no further, in place of what it was asked for. */
interface Refused {
  readonly refusal: LightRefusal | 'malformed';
}
interface Silent {
  readonly silent: string;
}
type Told<Value> = { readonly value: Value } | Refused | Silent;

export class LightClient {
  readonly #endpoints: readonly Endpoint[];
  readonly #lies = new Map<Endpoint, string>();
  readonly #silences = new Map<Endpoint, string>();
  readonly #bls: BlsEngine;
  readonly #trust: Trust;
  readonly #bounds: {
    readonly timeoutMs: number;
    readonly answerBytesMax: number;
    readonly signal: AbortSignal;
  };
  readonly #waitMs: number;
  readonly #closing = new AbortController();
  #turn = 0;
  #fork: ForkFound | undefined;

  /** Nothing is asked yet. @throws TypeError where an option is none, or the genesis is not what it is said to be */
  constructor(options: LightClientOptions) {
    this.#endpoints = checkedEndpoints(options.endpoints).map((url, index) => new Endpoint(index, url));
    this.#bls = options.bls ?? createNobleEngine();
    this.#trust = new Trust(options, this.#bls);
    this.#waitMs = checkedNumber('waitMs', options.waitMs ?? WAIT_MS);
    const { callTimeoutMs, answerBytesMax } = { ...CLIENT_DEFAULTS, ...options };
    this.#bounds = {
      timeoutMs: checkedNumber('callTimeoutMs', callTimeoutMs),
      answerBytesMax: checkedNumber('answerBytesMax', answerBytesMax),
      signal: this.#closing.signal,
    };
  }

  /** What another life of this client may begin with; undefined before the epoch given by its hash was seen. */
  get trusted(): TrustedPoint | undefined {
    return this.#trust.point;
  }

  get endpoints(): readonly LightEndpoint[] {
    return this.#endpoints.map((endpoint) => ({
      url: endpoint.url,
      lie: this.#lies.get(endpoint) ?? '',
      silence: this.#silences.get(endpoint) ?? '',
    }));
  }

  /**
   * The committed header at a height, or the newest that a node shows; a second endpoint is asked for the same one.
   * @throws NotProven, TrustExpired, ForkFound, LightClientClosed
   */
  async header(height?: number): Promise<VerifiedHeader> {
    const first = await this.#proven(
      height === undefined ? 'the newest header' : `the header at height ${height}`,
      (endpoint) => this.#headerOf(endpoint, height),
    );
    await this.#compare(first.value, first.from);
    return first.value;
  }

  /**
   * What a key of the application's state has, in a state that a committed header states: that of the answer, once the chain
   * says so, which takes some blocks. @param key bytes, or UTF-8 text @throws as `header`
   */
  async pair(key: Uint8Array | string): Promise<VerifiedPair> {
    const bytes = typeof key === 'string' ? new TextEncoder().encode(key) : key;
    const params = { path: '/pair', data: hexOf(bytes), prove: true };
    const found = await this.#proven('the pair', async (endpoint): Promise<Told<VerifiedPair>> => {
      for (let tries = 0; tries < PAIR_TRIES_MAX; tries += 1) {
        const answer = await this.#ask(endpoint, 'abci_query', params, readPairAnswer);
        if (!('value' in answer)) return answer;
        const header = await this.#stating(endpoint, bytes, answer.value);
        if (header === 'skipped') continue;
        if (!('value' in header)) return header;
        const { appHash } = header.value.header.executed;
        const verdict = verifyStateProof(appHash, bytes, answer.value.value, answer.value.proof);
        if (verdict !== 'valid') return { refusal: verdict };
        const { value: verified } = header;
        return { value: { value: answer.value.value, height: verified.executed.height, header: verified } };
      }
      return { silent: `stated none of ${PAIR_TRIES_MAX} states in a header: its rounds fail` };
    });
    await this.#compare(found.value.header, found.from);
    return found.value;
  }

  /** A committed transaction by its id, as `submit` of a client gives it: 64 hexadecimal letters. @throws as `header` */
  async transaction(id: string): Promise<VerifiedTransaction> {
    if (!/^[0-9A-Fa-f]{64}$/.test(id)) throw new TypeError(`id ${id}: give 64 hexadecimal letters`);
    const params = { hash: base64OfHex(id), prove: true };
    const found = await this.#proven(
      `transaction ${id}`,
      async (endpoint): Promise<Told<VerifiedTransaction>> => {
        const answer = await this.#ask(endpoint, 'tx', params, readTransactionAnswer);
        if (!('value' in answer)) return answer;
        const header = await this.#headerOf(endpoint, answer.value.height);
        if (!('value' in header)) return header;
        const verdict = verifyTransaction(header.value.header, answer.value.proof);
        if (verdict.status === 'refused') return { refusal: verdict.refusal };
        if (transactionHashOf(verdict.transaction) !== id.toLowerCase()) return { refusal: 'malformed' };
        return { value: { bytes: verdict.transaction, header: header.value } };
      },
    );
    await this.#compare(found.value.header, found.from);
    return found.value;
  }

  /** What waits rejects with LightClientClosed. */
  close(): void {
    this.#closing.abort();
  }

  /** The first endpoint that proves it. */
  async #proven<Value>(
    what: string,
    ask: (endpoint: Endpoint) => Promise<Told<Value>>,
  ): Promise<{ readonly value: Value; readonly from: Endpoint }> {
    this.#requireOpen();
    this.#trust.requireFresh();
    const problems: EndpointProblem[] = [];
    for (const endpoint of this.#inTurn()) {
      const told = await ask(endpoint);
      this.#requireOpen();
      if ('value' in told) return { value: told.value, from: endpoint };
      problems.push(this.#problemOf(endpoint, told));
    }
    throw new NotProven(what, problems);
  }

  #problemOf(endpoint: Endpoint, told: Refused | Silent): EndpointProblem {
    const { url } = endpoint;
    if ('silent' in told) return { url, words: told.silent };
    const { refusal } = told;
    const why =
      refusal === 'malformed'
        ? 'it is not in the shape of one'
        : `${refusal.code} ${describeRefusal(refusal)}`;
    const words = `shows a proof of nothing: ${why}`;
    this.#lies.set(endpoint, words);
    return { url, words, refusal };
  }

  /** The same height, of one more endpoint: only who has another proof contradicts. */
  async #compare({ height }: VerifiedHeader, from: Endpoint): Promise<void> {
    const other = this.#inTurn().find((endpoint) => endpoint !== from);
    if (other === undefined) return;
    const told = await this.#headerOf(other, height);
    this.#requireOpen();
    if ('refusal' in told) this.#problemOf(other, told);
  }

  /** A header with what it takes to believe that it is the one of its height. */
  async #headerOf(endpoint: Endpoint, height: number | undefined): Promise<Told<VerifiedHeader>> {
    const told = await this.#factsOf(endpoint, height);
    if (!('value' in told)) return told;
    const { facts, proof } = told.value;
    const { header, id } = facts;
    this.#remember(() => this.#trust.see(header.height, id, encodeProvenHeader(proof)));
    this.#trust.renew(header.time);
    const { epoch, time, executed } = header;
    return { value: { height: header.height, id, epoch, time, executed, header } };
  }

  async #factsOf(
    endpoint: Endpoint,
    height: number | undefined,
  ): Promise<Told<{ readonly facts: ProvenFacts; readonly proof: ProvenHeader }>> {
    const params = height === undefined ? {} : { height: String(height) };
    const told = await this.#ask(endpoint, 'althing_proven_header', params, readHeaderAnswer);
    if (!('value' in told)) return told;
    const { header } = told.value.path[0];
    if (height !== undefined && header.height !== height) return { refusal: 'malformed' };
    const trusted = await this.#epochOf(endpoint, header.epoch);
    if (!('value' in trusted)) return trusted;
    const verdict = verifyProvenHeader(trusted.value, this.#bls, told.value);
    if (verdict.status === 'refused') return { refusal: verdict.refusal };
    const problem = this.#trust.problemOf(verdict.facts);
    if (problem !== undefined) return { refusal: problem };
    return { value: { facts: verdict.facts, proof: told.value } };
  }

  /** The epoch, by proofs from the newest that is believed. Each answer leads on, or ends it. */
  async #epochOf(endpoint: Endpoint, epoch: number): Promise<Told<TrustedEpoch>> {
    for (;;) {
      const known = this.#trust.of(epoch);
      if (known !== undefined) return { value: known };
      const { newest, awaited } = this.#trust;
      // Of the epoch that is awaited the proof of the one before tells.
      const from = awaited === undefined ? (newest?.descriptor.epoch ?? 0) : awaited.epoch - 1;
      if (epoch < (awaited?.epoch ?? from))
        return { silent: `shows epoch ${epoch}, which is older than what is believed here` };
      const told = await this.#ask(
        endpoint,
        'althing_epoch_proofs',
        { from: String(from) },
        readEpochsAnswer,
      );
      if (!('value' in told)) return told;
      const [first, ...others] = told.value.proofs;
      if (first === undefined) return { silent: `shows epoch ${epoch}, and no proof of epoch ${from + 1}` };
      const problem = this.#takeEpochs(
        awaited === undefined ? [first, ...others] : this.#begin(first, others),
      );
      if (problem !== undefined) return problem;
    }
  }

  /** CS-16: the epoch that is believed by its hash is in the proof of the one before, which is not verified itself. */
  #begin({ next }: EpochProof, others: readonly EpochProof[]): readonly EpochProof[] | Refused {
    const { awaited, domain } = this.#trust;
    if (awaited === undefined) return others;
    const hash = epochHashOf(next);
    if (next.epoch !== awaited.epoch || hash !== awaited.hash)
      return { refusal: { code: 'NEXT_HASH_WRONG', hash, expected: awaited.hash } };
    this.#trust.add({ domain, descriptor: next });
    return others;
  }

  #takeEpochs(proofs: readonly EpochProof[] | Refused): Refused | undefined {
    if ('refusal' in proofs) return proofs;
    for (const proof of proofs) {
      const { newest } = this.#trust;
      if (newest === undefined) return { refusal: 'malformed' };
      const verdict = verifyEpochProof(newest, this.#bls, proof);
      if (verdict.status === 'refused') return { refusal: verdict.refusal };
      this.#trust.follow(verdict.last, verdict.trusted);
    }
    return undefined;
  }

  /** A header that states the state of the answer: the newest one, where nothing has changed since, or one that is to come. */
  async #stating(
    endpoint: Endpoint,
    key: Uint8Array,
    { height, value, proof }: PairAnswer,
  ): Promise<Told<VerifiedHeader> | 'skipped'> {
    const appHash = appHashBy(key, value, proof);
    if (typeof appHash === 'object') return { refusal: appHash };
    const newest = await this.#headerOf(endpoint, undefined);
    if (!('value' in newest) || newest.value.executed.appHash === appHash) return newest;
    const deadline = performance.now() + this.#waitMs;
    let committed = newest.value.height;
    for (let at = height + STATED_AFTER; at < height + STATED_AFTER + STATING_HEADERS_MAX; at += 1) {
      while (committed < at) {
        if (performance.now() > deadline)
          return { silent: `has no header that states height ${height} after ${this.#waitMs} ms` };
        await this.#sleep(POLL_MS);
        const now = await this.#headerOf(endpoint, undefined);
        if (!('value' in now)) return now;
        committed = now.value.height;
      }
      const told = await this.#headerOf(endpoint, at);
      if (!('value' in told) || told.value.executed.height === height) return told;
      if (told.value.executed.height > height) return 'skipped';
    }
    return 'skipped';
  }

  async #ask<Answer>(
    endpoint: Endpoint,
    method: string,
    params: object,
    read: (raw: unknown) => Answer | Malformed,
  ): Promise<Told<Answer>> {
    this.#requireOpen();
    const called = await endpoint.call(method, params, this.#bounds);
    this.#requireOpen();
    if (called.kind !== 'answered') {
      const silent = `has no answer to ${method}: ${called.detail}`;
      this.#silences.set(endpoint, silent);
      return { silent };
    }
    this.#silences.delete(endpoint);
    const value = read(called.result);
    return value === 'malformed' ? { refusal: 'malformed' } : { value };
  }

  /** A fork is the end: from then on there are two chains, and this client cannot say which is meant. */
  #remember(see: () => void): void {
    try {
      see();
    } catch (cause) {
      if (cause instanceof ForkFound) this.#fork = cause;
      throw cause;
    }
  }

  #requireOpen(): void {
    if (this.#fork !== undefined) throw this.#fork;
    if (this.#closing.signal.aborted) throw new LightClientClosed('the light client is closed');
  }

  /** All of them, by turns. */
  #inTurn(): readonly Endpoint[] {
    this.#turn += 1;
    const count = this.#endpoints.length;
    return this.#endpoints.flatMap((_, at) => this.#endpoints[(at + this.#turn) % count] ?? []);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#closing.signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#closing.signal.addEventListener('abort', end, { once: true });
    });
  }
}
