import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  child,
  createSystem,
  handler,
  type Message,
  realClock,
  supervisor,
} from '../../src/actors/runtime/index.ts';
import { appHashOf } from '../../src/application/answers.ts';
import { SNAPSHOT_RESTORER_EVENTS, snapshotRestorerLogic } from '../../src/application/snapshot-restorer.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { ExecutedState } from '../../src/protocol/chain/types.ts';
import type { Application, SnapshotChunks, SnapshotOffer } from '../../src/protocol/ports/application.ts';
import type { RestoreReply } from '../../src/protocol/ports/snapshots.ts';
import { height } from '../storage/fixtures.ts';

const RESTORER = 'node/snapshot-restorer';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Applications that were opened, and which of them is open. */
class Opened {
  count = 0;
  open = 0;
  readonly #restore: (offer: SnapshotOffer, chunks: SnapshotChunks) => Promise<string>;

  constructor(restore: (offer: SnapshotOffer, chunks: SnapshotChunks) => Promise<string>) {
    this.#restore = restore;
  }

  application(): Application {
    const unused = (): never => expect.fail('not a part of restoring');
    let executed: ExecutedState = { height: height(0), appHash: appHashOf('nothing') };
    expect(this.open).toBe(0);
    this.count += 1;
    this.open += 1;
    return {
      info: () => ({ name: 'test', version: '1', executed }),
      initChain: unused,
      checkTx: unused,
      query: unused,
      finalizeBlock: unused,
      restoreSnapshot: async (offer, chunks) => {
        executed = { height: offer.height, appHash: appHashOf(await this.#restore(offer, chunks)) };
      },
      close: () => {
        this.open -= 1;
      },
    };
  }
}

/** The bytes as one text. */
async function textOf(_: SnapshotOffer, chunks: SnapshotChunks): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}

async function started(openApplication: () => Application | Promise<Application>) {
  const replies: RestoreReply[] = [];
  const client = handler<undefined, RestoreReply>({
    init: () => undefined,
    receive: (message) => void replies.push(message),
  });
  const system = createSystem({ name: 'restorer', clock: realClock(), random: seededRandom('restorer') });
  const root = system.start(
    child(
      'node',
      supervisor({
        children: [
          child('client', client),
          child('snapshot-restorer', snapshotRestorerLogic({ openApplication }), {
            publicEvents: SNAPSHOT_RESTORER_EVENTS,
          }),
        ],
      }),
    ),
  );
  stops.push(() => system.stop());
  await root.started();
  let tag = 0;
  const send = (message: Message): number => {
    tag += 1;
    system.ref(RESTORER).tell({ ...message, replyTo: 'node/client', tag });
    return tag;
  };
  const replyTo = (mine: number) =>
    vi.waitFor(() => {
      const reply = replies.find((each) => each.tag === mine);
      if (reply === undefined) throw new Error('no reply yet');
      return reply;
    });
  return {
    replies,
    send,
    ask: (message: Message) => replyTo(send(message)),
    stop: () => stops.pop()?.(),
  };
}

const begin = { type: 'restore.beginRequested', height: height(50), format: 3 };
const chunk = (text: string) => ({ type: 'restore.chunkRequested', bytes: utf8(text) });
const end = { type: 'restore.endRequested' };
const abandon = { type: 'restore.abandonRequested' };

describe('the snapshot-restorer (SY-10)', () => {
  it('gives the chunks in order to a new application, and says where that stands, closed', async () => {
    const opened = new Opened(textOf);
    const restorer = await started(() => opened.application());
    expect(await restorer.ask(begin)).toMatchObject({ type: 'restore.begun' });
    for (const text of ['one ', 'two ', 'three']) {
      expect(await restorer.ask(chunk(text))).toMatchObject({ type: 'restore.took' });
    }
    expect(await restorer.ask(end)).toEqual({
      type: 'restore.ended',
      tag: 5,
      executed: { height: 50, appHash: appHashOf('one two three') },
    });
    expect(opened).toMatchObject({ count: 1, open: 0 });
  });

  it('hands the format on, and takes no chunk before the application wants it', async () => {
    const go = Promise.withResolvers<void>();
    const opened = new Opened(async ({ format }, chunks) => {
      expect(format).toBe(3);
      for await (const _ of chunks) await go.promise;
      return 'done';
    });
    const restorer = await started(() => opened.application());
    await restorer.ask(begin);
    const first = restorer.send(chunk('one'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(restorer.replies.map(({ tag }) => tag)).not.toContain(first);
    go.resolve();
    expect(await restorer.ask(end)).toMatchObject({ type: 'restore.ended' });
    expect(restorer.replies.map(({ tag }) => tag)).toContain(first);
  });

  it('says what the application found wrong, to this request or to the next', async () => {
    const opened = new Opened(async (_, chunks) => {
      for await (const each of chunks) {
        if (Buffer.from(each).toString() === 'bad') throw new Error('it is no snapshot of ours');
      }
      throw new Error('it ends too early');
    });
    const restorer = await started(() => opened.application());
    await restorer.ask(begin);
    expect(await restorer.ask(chunk('good'))).toMatchObject({ type: 'restore.took' });
    expect(await restorer.ask(chunk('bad'))).toMatchObject({
      type: 'restore.failed',
      detail: 'it is no snapshot of ours',
    });
    expect(await restorer.ask(chunk('good'))).toMatchObject({ detail: 'it is no snapshot of ours' });
    expect(await restorer.ask(end)).toMatchObject({ detail: 'it is no snapshot of ours' });
    await restorer.ask(begin);
    expect(await restorer.ask(end)).toMatchObject({ type: 'restore.failed', detail: 'it ends too early' });
    expect(opened).toMatchObject({ count: 2, open: 0 });
  });

  it('is not content with an application that ends before the last chunk', async () => {
    const opened = new Opened(async () => 'I know already');
    const restorer = await started(() => opened.application());
    await restorer.ask(begin);
    const detail = 'the application ended before the last chunk';
    await vi.waitFor(async () => {
      expect(await restorer.ask(chunk('one'))).toMatchObject({ type: 'restore.failed', detail });
    });
    expect(await restorer.ask(end)).toMatchObject({ type: 'restore.failed', detail });
  });

  it('tells whoever waits with a chunk that the application has ended', async () => {
    const opened = new Opened(async (_, chunks) => {
      for await (const __ of chunks) {
        await new Promise((resolve) => setTimeout(resolve, 60));
        return 'enough';
      }
      return 'nothing came';
    });
    const restorer = await started(() => opened.application());
    await restorer.ask(begin);
    expect(await restorer.ask(chunk('one'))).toMatchObject({
      type: 'restore.failed',
      detail: 'the application ended before the last chunk',
    });
  });

  it.each<[string, () => Application | Promise<Application>, string]>([
    [
      'cannot be opened',
      () => {
        throw new Error('no room');
      },
      'no room',
    ],
    ['cannot be opened later', () => Promise.reject(new Error('no room')), 'no room'],
    [
      'restores nothing',
      () => {
        const { restoreSnapshot: _, ...rest } = new Opened(textOf).application();
        return rest;
      },
      'the application restores no snapshots',
    ],
  ])('says so when the application %s', async (_, openApplication, detail) => {
    const restorer = await started(openApplication);
    await restorer.ask(begin);
    expect(await restorer.ask(chunk('one'))).toMatchObject({ type: 'restore.failed', detail });
  });

  it('ends an attempt that is abandoned, or that another follows, before the next one is opened', async () => {
    const opened = new Opened(textOf);
    const restorer = await started(() => opened.application());
    await restorer.ask(begin);
    await restorer.ask(chunk('one '));
    expect(await restorer.ask(abandon)).toMatchObject({ type: 'restore.abandoned' });
    expect(opened.open).toBe(0);
    expect(await restorer.ask(chunk('two '))).toMatchObject({ detail: 'nothing is being restored' });
    await restorer.ask(begin);
    await restorer.ask(chunk('three '));
    await restorer.ask(begin);
    await restorer.ask(chunk('four'));
    expect(await restorer.ask(end)).toMatchObject({ executed: { appHash: appHashOf('four') } });
    expect(opened).toMatchObject({ count: 3, open: 0 });
  });

  it('closes the application when the cell is stopped', async () => {
    const opened = new Opened(textOf);
    const restorer = await started(() => opened.application());
    await restorer.ask(begin);
    await restorer.ask(chunk('one'));
    await restorer.stop();
    expect(opened.open).toBe(0);
  });
});
