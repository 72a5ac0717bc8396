/**
 * Batches of committed blocks that storage does not have: the mempool is asked for some of them at a time, until it has
 * answered, and storage then gives them. Mutable; sends. Rules EX-1, MP-9, docs/applications.md.
 */
import type { BatchDigest } from '../protocol/chain/types.ts';
import type { ExecutionReply } from '../protocol/ports/execution.ts';
import type { MempoolRequest } from '../protocol/ports/mempool.ts';
import type { BlockFeed } from './block-feed.ts';
import type { Life } from './block-runner.ts';

/** Batches asked of the mempool at a time. @unit batches @source well below MempoolConfig.fetchesMax */
const WANTED_MAX = 128;

interface Want {
  readonly request: Extract<MempoolRequest, { readonly type: 'batches.wanted' }>;
  readonly digests: readonly BatchDigest[];
}

export class WantedBatches {
  readonly #life: Pick<Life, 'number' | 'options' | 'times' | 'context' | 'nextTag'>;
  readonly #feed: BlockFeed;
  /** Oldest block first; as many as the feed asks for ahead. */
  #missing: BatchDigest[] = [];
  #want: Want | undefined;

  constructor(life: Life, feed: BlockFeed) {
    this.#life = life;
    this.#feed = feed;
  }

  /** They came by sync without these: the mempool fetches them. */
  fetch(digests: readonly BatchDigest[]): void {
    if (digests.length === 0) return;
    this.#missing.push(...digests);
    if (this.#want === undefined) this.#askNext();
  }

  /** Storage gave other batches for these: others have the right ones, after a pause in case that it does so for ever. */
  fetchAnew(digests: readonly BatchDigest[]): void {
    if (digests.length === 0) return;
    const detail =
      `storage gave bytes of another digest for ${digests.length} batches, the first ${digests[0]}: ` +
      'they are fetched from other validators and stored anew; look after this disk (docs/storage.md)';
    this.#life.options.report?.({ status: 'failed', code: 'BATCH_MISSING', detail });
    this.#missing.push(...digests);
    if (this.#want === undefined) this.#pause();
  }

  /** The mempool has stored them. */
  held(tag: number): void {
    if (this.#want?.request.tag !== tag) return;
    const { context, options } = this.#life;
    const { digests } = this.#want;
    context.cancelTimer('want');
    this.#askNext();
    const question = { replyTo: context.self, tag: this.#life.nextTag(), digests };
    context.tell(options.storage, { type: 'batches.requested', ...question });
  }

  /** The mempool has too much to do: everybody hears what is waited for, and it is asked again. */
  refused(tag: number, detail: string): void {
    if (this.#want?.request.tag !== tag) return;
    const { context, options } = this.#life;
    this.#missing.unshift(...this.#want.digests);
    this.#want = undefined;
    const failed: ExecutionReply = { type: 'execution.failed', tag: 0, code: 'BATCH_MISSING', detail };
    options.report?.({ status: 'failed', code: 'BATCH_MISSING', detail });
    for (const listener of options.listeners) context.tell(listener, failed);
    this.#pause();
  }

  /** The pause is over, or there was no answer for so long. */
  askAgain(): void {
    if (this.#want === undefined) this.#askNext();
    else this.#tell(this.#want);
  }

  #askNext(): void {
    const digests = this.#missing.splice(0, WANTED_MAX);
    this.#want = undefined;
    if (digests.length === 0) return;
    const { context } = this.#life;
    const tag = this.#life.nextTag();
    const named = this.#feed.referencesOf(digests);
    this.#want = { request: { type: 'batches.wanted', replyTo: context.self, tag, ...named }, digests };
    this.#tell(this.#want);
  }

  /** The mempool starts after this cell and may be restarted: it hears the same until it answers (MP-9). */
  #tell({ request }: Want): void {
    const { context, options } = this.#life;
    context.tell(options.mempool, request);
    this.#pause();
  }

  #pause(): void {
    const { context, number, times } = this.#life;
    context.startTimer('want', times.retryMin, { type: 'want.due', life: number });
  }
}
