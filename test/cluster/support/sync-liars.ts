/**
 * Validators that serve a chain badly, by their own keys, to one victim that syncs: a liar, whose blocks are not what
 * their certificates say, and a staller, who says how far he is and then gives nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths } from '../../../src/node/config/home.ts';
import type { BlockId, CertifiedBlock, Digest } from '../../../src/protocol/chain/types.ts';
import type { SyncQuestion } from '../../../src/protocol/sync/messages.ts';
import type { WireMessage } from '../../../src/protocol/transport/messages.ts';
import { openStore } from '../../../src/storage/open.ts';
import type { Read, Store } from '../../../src/storage/store.ts';
import { Attacker, type Line } from './attacker.ts';
import type { Validators } from './validators.ts';

export type Manner = 'lies' | 'stalls';

/** @unit bytes */
const ANSWER_BYTES_MAX = 512 * 1_024;
/** @unit ms */
const LOOK_INTERVAL_MS = 2;

/** Plays validator `index`, whose home has a chain and no process, towards `victim`, until `ended`. */
export class SyncLiar {
  readonly #attacker: Attacker;
  readonly #victim: number;
  readonly #manner: Manner;
  readonly #store: Store;
  /** Questions that came, by kind. */
  readonly asked = new Map<string, number>();
  #ended = false;

  private constructor(attacker: Attacker, victim: number, manner: Manner, store: Store) {
    this.#attacker = attacker;
    this.#victim = victim;
    this.#manner = manner;
    this.#store = store;
  }

  static async start(
    validators: Validators,
    index: number,
    victim: number,
    manner: Manner,
  ): Promise<SyncLiar> {
    const attacker = await Attacker.create(validators, index);
    const store = openStore(homePaths(validators.network.homeOf(index)).data, attacker.epoch.domain);
    if ('status' in store) throw new Error(store.detail);
    const liar = new SyncLiar(attacker, victim, manner, store);
    void liar.#play();
    return liar;
  }

  end(): void {
    this.#ended = true;
  }

  /** Comes again whenever it is thrown out. */
  async #play(): Promise<void> {
    while (!this.#ended) {
      const line = await this.#attacker.connect(this.#victim).catch(() => undefined);
      while (line?.isOpen === true && !this.#ended) {
        for (const message of line.received.splice(0)) this.#answer(line, message);
        await sleep(LOOK_INTERVAL_MS);
      }
      line?.close();
      await sleep(100);
    }
    this.#store.close();
  }

  #answer(line: Line, message: WireMessage): void {
    this.asked.set(message.kind, (this.asked.get(message.kind) ?? 0) + 1);
    const answer = this.#answerTo(message as SyncQuestion);
    if (answer !== undefined) line.say(answer);
  }

  #answerTo(question: SyncQuestion): WireMessage | undefined {
    const { requestId } = question;
    const { committed, earliest = committed } = found(this.#store.latest());
    const tip = found(this.#store.blockAt(committed));
    switch (question.kind) {
      case 'GetBlockHeight':
        return tip === undefined
          ? undefined
          : {
              kind: 'BlockHeight',
              requestId,
              base: earliest,
              height: committed,
              tipId: tip.id,
              proof: tip.commitProof,
            };
      case 'GetGenesisHash':
        return { kind: 'GenesisHash', requestId, genesisHash: this.#attacker.epoch.domain.genesisHash };
      case 'GetBlockHash': {
        const { height } = question;
        const id = found(this.#store.blockAt(height))?.id;
        return { kind: 'BlockHash', requestId, height, ...(id === undefined ? {} : { id: this.#wrong(id) }) };
      }
      case 'GetBlocks': {
        if (this.#manner === 'stalls') return undefined;
        const range = found(this.#store.blocksFrom(question.from, question.limit, ANSWER_BYTES_MAX));
        const blocks = range.blocks.map(({ block, qc }) => ({ block, qc }));
        const digests = blocks.flatMap(({ block }) => block.header.batches.map(({ digest }) => digest));
        const { batches } = found(this.#store.batches(digests));
        return {
          kind: 'Blocks',
          requestId,
          blocks: forged(blocks),
          batches: batches.map(({ bytes }) => bytes),
          height: committed,
        };
      }
      default:
        return undefined;
    }
  }

  #wrong(id: BlockId): BlockId {
    return this.#manner === 'lies' ? (`${id.slice(0, 60)}0000` as BlockId) : id;
  }
}

/** One header in the middle says another state; nothing else shows it. */
function forged(blocks: readonly CertifiedBlock[]): readonly CertifiedBlock[] {
  const middle = blocks.length >> 1;
  return blocks.map((certified, index) => {
    if (index !== middle) return certified;
    const { block, qc } = certified;
    const executed = { ...block.header.executed, appHash: '0'.repeat(64) as Digest };
    return { block: { ...block, header: { ...block.header, executed } }, qc };
  });
}

function found<Value>(read: Read<Value>): Value {
  if (read.status === 'found') return read.value;
  throw new Error(read.detail);
}
