/**
 * The clients of the overload benchmark, many addresses in one process: sends, counts answers by their codes, and finds what was
 * accepted in the blocks. Its parent gives the orders (talk.ts). Boundary: sockets, the clock.
 */
import { Connection, type Posted } from '../../src/cli/bench/connection.ts';
import { OpenLoop, type Pace, type Portion, Saturation } from '../../src/cli/bench/pace.ts';
import { summarise } from '../../src/cli/bench/statistics.ts';
import { readAnswers } from './answers.ts';
import { findInBlocks } from './blocks.ts';
import { type Body, bodyFor } from './bodies.ts';
import { Ledger } from './ledger.ts';
import { ORDER, type Order, type Sent } from './talk.ts';

/** How often what is due is looked for. @unit ms */
const TICK = 1;
/** A lane of the closed loop pauses after a refusal, as a client would. @unit ms */
const REFUSED_PAUSE = 20;
/** Without an answer for so long a request is unanswered. @unit ms @source above rpc.request_timeout_ms */
const ANSWER_MAX = 35_000;

type Begin = Extract<Order, { kind: 'begin' }>;
type Run = Extract<Order, { kind: 'run' }>;

interface Lane {
  readonly connection: Connection;
  readonly body: Body;
}

class Generator {
  readonly #batch: number;
  readonly #addresses: readonly string[];
  readonly #idle: Lane[];
  readonly #lanes: number;
  #height = 0;
  #committed = 0;
  #next = 0;
  #ledger = new Ledger(0);

  constructor({ addresses, door, clients, lanes, batch }: Begin) {
    this.#batch = batch;
    this.#addresses = addresses;
    // Neighbouring lanes belong to different validators and clients.
    this.#idle = Array.from({ length: lanes }, () =>
      Array.from({ length: clients }, (_, client) =>
        addresses.map(
          (address): Lane => ({
            connection: new Connection(address, lanes, {
              localAddress: clientAddress(client),
              timeoutMs: ANSWER_MAX,
            }),
            body: bodyFor(door, batch),
          }),
        ),
      ),
    ).flat(2);
    this.#lanes = this.#idle.length;
  }

  see(height: number, operations: number): void {
    this.#height = height;
    this.#committed = operations;
  }

  async run({ pace, seconds }: Run): Promise<Sent> {
    const ledger = new Ledger(this.#next);
    this.#ledger = ledger;
    const startedAt = performance.now();
    const cpuBefore = process.cpuUsage();
    const before = this.#committed;
    const settled = (): number => this.#committed - before + ledger.refusedOperations + ledger.unanswered;
    const open = pace.kind === 'open' ? new OpenLoop(pace.rate, startedAt) : undefined;
    const source: Pace = open ?? new Saturation(pace.kind === 'closed' ? pace.window : 0, settled);
    await this.#sendUntil(startedAt + seconds * 1_000, source, open === undefined ? REFUSED_PAUSE : 0);
    const took = (performance.now() - startedAt) / 1_000;
    const unsent = open?.backlog(performance.now()) ?? 0;
    const { user, system } = process.cpuUsage(cpuBefore);
    await this.#lastAnswers();
    this.#next = ledger.next;
    const [acceptance, refusal] = [summarise(ledger.acceptances), summarise(ledger.refusals)];
    return {
      kind: 'sent',
      seconds: took,
      sent: ledger.sent,
      accepted: ledger.accepted,
      refused: Object.fromEntries(ledger.refused),
      unanswered: ledger.unanswered,
      unsent,
      ...(acceptance === undefined ? {} : { acceptance }),
      ...(refusal === undefined ? {} : { refusal }),
      cpuSeconds: (user + system) / 1e6,
    };
  }

  judge(blocks: Extract<Order, { kind: 'judge' }>['blocks']) {
    return findInBlocks(this.#addresses[0] ?? '', blocks, this.#ledger);
  }

  #sendUntil(end: number, source: Pace, pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now();
        if (now >= end) {
          clearInterval(timer);
          resolve();
          return;
        }
        this.#sendDue(source, now, pauseMs);
      }, TICK);
    });
  }

  #sendDue(source: Pace, now: number, pauseMs: number): void {
    while (this.#idle.length > 0) {
      const portion = source.take(this.#batch, now);
      if (portion === undefined) return;
      const lane = this.#idle.shift();
      if (lane === undefined) return;
      void this.#send(lane, portion).then((refused) => {
        if (refused && pauseMs > 0) setTimeout(() => this.#idle.push(lane), pauseMs);
        else this.#idle.push(lane);
      });
    }
  }

  async #send({ connection, body }: Lane, { count, intendedAt }: Portion): Promise<boolean> {
    const ledger = this.#ledger;
    const first = ledger.send(count, performance.timeOrigin + intendedAt);
    const sentAt = performance.now();
    const posted: Posted = await connection.post(body.write(first, count, this.#height));
    return ledger.settle(first, count, readAnswers(posted, count), performance.now() - sentAt);
  }

  async #lastAnswers(): Promise<void> {
    const until = performance.now() + 2 * ANSWER_MAX;
    while (this.#idle.length < this.#lanes && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** 127.0.1.1 on: all of 127.0.0.0/8 is this machine's on Linux. */
const clientAddress = (client: number): string =>
  `127.0.${1 + Math.floor(client / 250)}.${1 + (client % 250)}`;

let generator: Generator | undefined;

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case 'begin':
      generator = new Generator(order);
      return;
    case 'committed':
      generator?.see(order.height, order.operations);
      return;
    case 'run':
      process.send?.(await generator?.run(order));
      return;
    case 'judge':
      process.send?.(await generator?.judge(order.blocks));
  }
}

process.on('message', (message) => {
  obey(ORDER.parse(message)).catch((failure: unknown) => {
    console.error(failure);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit(0));
