import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { peerMachine } from '../../../src/machines/peer/peer.machine.ts';
import type { PeerInput } from '../../../src/machines/peer/peer.setup.ts';
import { probe } from '../../../src/machines/vocabulary/probe.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import type { Effect } from '../../../src/protocol/supervision/effect.ts';
import { DIAL_BACKOFF } from '../../../src/protocol/transport/backoff.ts';
import { STABLE_AFTER_MS } from '../../../src/protocol/transport/limits.ts';
import type { ConnectionCard } from '../../../src/protocol/transport/peering.ts';
import { BAN_MS_MIN } from '../../../src/protocol/transport/score.ts';

const LOW = '0'.repeat(40) as Address;
const HIGH = 'f'.repeat(40) as Address;
const ENDPOINT = { host: '127.0.0.1', port: 26_656 };
const at = monotonic;

const card = (connection: number, change: Partial<ConnectionCard> = {}): ConnectionCard => ({
  connection,
  end: 'listener',
  instance: new Uint8Array(8),
  role: 'validator',
  moniker: 'm',
  remote: '127.0.0.1:1',
  ...change,
});

function peer(change: Partial<PeerInput> = {}) {
  const input: PeerInput = {
    self: LOW,
    peer: HIGH,
    standing: 'validator',
    router: 'node/network/router',
    listener: 'node/network/listener',
    ...change,
  };
  return probe(peerMachine, { input, address: 'node/network/peer/x' });
}

const offered = (given: ConnectionCard) => ({ type: 'connection.offered', peer: HIGH, card: given }) as const;
const upgrading = (attempt: number) => ({ type: 'dial.upgrading', attempt }) as const;
const succeeded = (attempt: number, connection: number) =>
  ({ type: 'dial.succeeded', attempt, card: card(connection, { end: 'dialer' }) }) as const;
const failed = (attempt: number, reason: 'UNREACHABLE' | 'WRONG_GENESIS' = 'UNREACHABLE') =>
  ({ type: 'dial.failed', attempt, reason, detail: 'x' }) as const;
const opened = (connection: number) => ({ type: 'link.opened', connection }) as const;
const closed = (connection: number) =>
  ({ type: 'link.closed', connection, reason: 'CONNECTION_LOST', detail: 'x' }) as const;
const grave = { type: 'peer.misbehaved', code: 'SIGNATURE_INVALID' } as const;

const spawned = (effects: readonly { readonly kind: string }[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'spawn' && 'id' in effect ? [String(effect.id)] : []));
const told = (effects: readonly { readonly kind: string }[], to: string): unknown[] =>
  (effects as readonly Effect[]).flatMap((effect) =>
    effect.kind === 'tell' && effect.to === `node/network/${to}` ? [effect.message] : [],
  );

/** A peer with a link that is up: connection 1. */
function connected(change: Partial<PeerInput> = {}) {
  const chart = peer(change);
  if (change.endpoint === undefined) chart.send(offered(card(1)));
  else {
    chart.send(upgrading(1));
    chart.send(succeeded(1, 1));
  }
  chart.send(opened(1), { now: at(0) });
  return chart;
}

describe('peer chart: dialing (TP-2)', () => {
  it('waits in unreachable until an address is learned, then dials it', () => {
    const chart = peer();
    expect(chart.snapshot.value).toBe('unreachable');
    const effects = chart.send({ type: 'endpoint.learned', endpoint: ENDPOINT });
    expect(chart.snapshot.value).toBe('dialing');
    expect(spawned(effects)).toEqual(['dialer-1']);
  });

  it('goes dialing → handshaking → connected, and tells the router once the link is up', () => {
    const chart = peer({ endpoint: ENDPOINT });
    expect(spawned(chart.effects)).toEqual(['dialer-1']);
    chart.send(upgrading(1));
    expect(chart.snapshot.value).toBe('handshaking');
    const effects = chart.send(succeeded(1, 7));
    expect(chart.snapshot.value).toBe('connected');
    expect(spawned(effects)).toEqual(['link#7']);
    expect(told(effects, 'router')).toEqual([]);
    expect(told(chart.send(opened(7)), 'router')).toEqual([
      { type: 'link.up', peer: HIGH, link: 'node/network/peer/x/link#7' },
    ]);
  });

  it('backs off after a failure, longer after each, and dials again', () => {
    const chart = peer({ endpoint: ENDPOINT });
    for (const [attempt, delay] of [
      [1, DIAL_BACKOFF.min],
      [2, DIAL_BACKOFF.min * 2],
      [3, DIAL_BACKOFF.min * 4],
    ] as const) {
      const effects = chart.send(failed(attempt), { draws: [0.5] });
      expect(chart.snapshot.value).toBe('backingOff');
      expect(effects).toContainEqual(expect.objectContaining({ kind: 'startStateTimer', delayMs: delay }));
      expect(spawned(chart.elapse())).toEqual([`dialer-${attempt + 1}`]);
    }
  });

  it('waits longest at once after a refusal that will not change by itself', () => {
    const chart = peer({ endpoint: ENDPOINT });
    const effects = chart.send(failed(1, 'WRONG_GENESIS'), { draws: [0.5] });
    expect(effects).toContainEqual(
      expect.objectContaining({ kind: 'startStateTimer', delayMs: DIAL_BACKOFF.max }),
    );
  });

  it('treats a dialer that crashed as a dial that failed, and other cells’ ends as nothing', () => {
    const chart = peer({ endpoint: ENDPOINT });
    const down = (address: string) =>
      ({ type: 'cell.down', address, reason: { kind: 'crash', error: 'boom' } }) as const;
    chart.send(down('node/network/peer/x/dialer-0'));
    expect(chart.snapshot.value).toBe('dialing');
    chart.send(down('node/network/peer/x/dialer-1'));
    expect(chart.snapshot.value).toBe('backingOff');
    expect(chart.snapshot.context.lastEnd?.detail).toContain('boom');
  });

  it('ignores the answer to an earlier dial', () => {
    const chart = peer({ endpoint: ENDPOINT });
    chart.send(failed(1));
    chart.elapse();
    chart.send(failed(1));
    expect(chart.snapshot.value).toBe('dialing');
    const effects = chart.send(succeeded(1, 3));
    expect(chart.snapshot.value).toBe('dialing');
    expect(told(effects, 'listener')).toEqual([
      { type: 'connection.refused', connection: 3, reason: 'DUPLICATE' },
    ]);
  });

  it('tries the learned and the configured address in turn', () => {
    const chart = peer({ endpoint: ENDPOINT });
    const learned = { host: '127.0.0.2', port: 1 };
    chart.send({ type: 'endpoint.learned', endpoint: learned });
    expect(chart.snapshot.context.endpoints).toEqual([learned, ENDPOINT]);
    chart.send({ type: 'endpoint.learned', endpoint: { host: '127.0.0.3', port: 1 } });
    expect(chart.snapshot.context.endpoints.length).toBe(2);
    chart.send(failed(1));
    const [dialer] = chart.elapse().filter((effect) => effect.kind === 'spawn');
    expect(dialer).toMatchObject({ input: { endpoint: ENDPOINT } });
  });
});

describe('peer chart: one connection for each pair (TP-2)', () => {
  it('gives up its own dial for the connection of a lower id', () => {
    const chart = peer({ self: HIGH, peer: LOW, endpoint: ENDPOINT });
    const effects = chart.send(offered(card(5)));
    expect(chart.snapshot.value).toBe('connected');
    expect(effects).toContainEqual({ kind: 'stop', id: 'dialer-1' });
    expect(spawned(effects)).toEqual(['link#5']);
  });

  it('holds the connection of a higher id while its own dial is under way, and refuses it on success', () => {
    const chart = peer({ endpoint: ENDPOINT });
    chart.send(offered(card(5)));
    expect(chart.snapshot.value).toBe('dialing');
    chart.send(upgrading(1));
    const effects = chart.send(succeeded(1, 6));
    expect(spawned(effects)).toEqual(['link#6']);
    expect(told(effects, 'listener')).toEqual([
      { type: 'connection.refused', connection: 5, reason: 'DUPLICATE' },
    ]);
  });

  it('takes the held connection when its own dial fails: a node behind a firewall is reached', () => {
    const chart = peer({ endpoint: ENDPOINT });
    chart.send(offered(card(5)));
    const effects = chart.send(failed(1));
    expect(chart.snapshot.value).toBe('connected');
    expect(spawned(effects)).toEqual(['link#5']);
    expect(chart.snapshot.context.held).toBeUndefined();
  });

  it('holds one connection at most', () => {
    const chart = peer({ endpoint: ENDPOINT });
    chart.send(offered(card(5)));
    expect(told(chart.send(offered(card(6))), 'listener')).toEqual([
      { type: 'connection.refused', connection: 5, reason: 'REPLACED' },
    ]);
  });

  it('replaces its link by the connection of a restarted peer', () => {
    const chart = connected();
    const effects = chart.send(offered(card(2, { instance: new Uint8Array(8).fill(9) })));
    expect(chart.snapshot.value).toBe('connected');
    expect(spawned(effects)).toEqual(['link#2']);
    expect(told(effects, 'peer/x/link#1')).toEqual([{ type: 'link.closeRequested', reason: 'REPLACED' }]);
    // The end of the replaced link changes nothing.
    const after = chart.send(closed(1));
    expect(chart.snapshot.value).toBe('connected');
    expect(after).toContainEqual({ kind: 'stop', id: 'link#1' });
  });

  it('refuses a second connection that loses the tie, and asks whether its link lives', () => {
    const chart = peer({ endpoint: ENDPOINT });
    chart.send(upgrading(1));
    chart.send(succeeded(1, 1));
    const effects = chart.send(offered(card(2)));
    expect(told(effects, 'listener')).toEqual([
      { type: 'connection.refused', connection: 2, reason: 'DUPLICATE' },
    ]);
    expect(told(effects, 'peer/x/link#1')).toEqual([{ type: 'link.probeRequested' }]);
  });
});

describe('peer chart: a link ends', () => {
  it('dials again, soon after a connection that held, later after one that did not', () => {
    const held = connected({ endpoint: ENDPOINT });
    held.send(closed(1), { now: at(STABLE_AFTER_MS), draws: [0.5] });
    expect(held.snapshot.context.failures).toBe(0);
    const brief = connected({ endpoint: ENDPOINT });
    brief.send(closed(1), { now: at(STABLE_AFTER_MS - 1), draws: [0.5] });
    expect(brief.snapshot.context.failures).toBe(1);
  });

  it('treats a link that crashed as one that ended', () => {
    const chart = connected();
    chart.send({
      type: 'cell.down',
      address: 'node/network/peer/x/link#1',
      reason: { kind: 'crash', error: 'boom' },
    });
    expect(chart.snapshot.value).toBe('backingOff');
  });

  it('announces its link again to a router that runs anew', () => {
    const chart = connected();
    expect(told(chart.send({ type: 'router.started' }), 'router')).toEqual([
      { type: 'link.up', peer: HIGH, link: 'node/network/peer/x/link#1' },
    ]);
  });
});

describe('peer chart: score and ban (TP-6)', () => {
  it('bans at the limit: closes, refuses, tells the router, and comes back after the time', () => {
    const chart = connected({ endpoint: ENDPOINT });
    chart.send(grave, { now: at(1_000) });
    expect(chart.snapshot.value).toBe('connected');
    const effects = chart.send(grave, { now: at(1_000) });
    expect(chart.snapshot.value).toBe('banned');
    expect(told(effects, 'peer/x/link#1')).toEqual([{ type: 'link.closeRequested', reason: 'BANNED' }]);
    expect(told(effects, 'router')).toEqual([{ type: 'peer.banned', peer: HIGH, until: 1_000 + BAN_MS_MIN }]);
    expect(told(chart.send(offered(card(9))), 'listener')).toEqual([
      { type: 'connection.refused', connection: 9, reason: 'BANNED' },
    ]);
    chart.elapse(BAN_MS_MIN, { now: at(1_000 + BAN_MS_MIN) });
    expect(chart.snapshot.value).toBe('dialing');
    expect(chart.snapshot.context.ban).toBeUndefined();
  });

  it('bans in every state that it can be in', () => {
    const charts = [
      peer(),
      peer({ endpoint: ENDPOINT }),
      peer({ endpoint: ENDPOINT }),
      peer({ endpoint: ENDPOINT }),
    ];
    charts[2]?.send(upgrading(1));
    charts[3]?.send(failed(1));
    expect(charts.map((chart) => chart.snapshot.value)).toEqual([
      'unreachable',
      'dialing',
      'handshaking',
      'backingOff',
    ]);
    for (const chart of charts) {
      chart.send(grave);
      chart.send(grave);
      expect(chart.snapshot.value).toBe('banned');
    }
  });

  it('closes only the sync lane of a validator that misuses it, and opens it after the ban', () => {
    const chart = connected();
    const bad = { type: 'peer.misbehaved', code: 'BLOCKS_NOT_GAPLESS' } as const;
    chart.send(bad, { now: at(0) });
    const effects = chart.send(bad, { now: at(0) });
    expect(chart.snapshot.value).toBe('connected');
    expect(told(effects, 'peer/x/link#1')).toEqual([{ type: 'link.syncLaneChanged', open: false }]);
    expect(effects).toContainEqual({
      kind: 'startTimer',
      key: 'syncBan',
      delayMs: BAN_MS_MIN,
      message: { type: 'syncBan.ended' },
    });
    expect(told(chart.send({ type: 'syncBan.ended' }), 'peer/x/link#1')).toEqual([
      { type: 'link.syncLaneChanged', open: true },
    ]);
  });

  it('opens a new link with the sync lane closed while its ban holds', () => {
    const chart = connected();
    const bad = { type: 'peer.misbehaved', code: 'BLOCKS_NOT_GAPLESS' } as const;
    chart.send(bad);
    chart.send(bad);
    chart.send(closed(1));
    const [link] = chart.send(offered(card(2))).filter((effect) => effect.kind === 'spawn');
    expect(link).toMatchObject({ id: 'link#2', input: { syncLaneOpen: false } });
  });

  it('bans a guest wholly for what it does to sync', () => {
    const chart = peer({ standing: 'guest', offer: card(1) });
    expect(chart.snapshot.value).toBe('connected');
    const bad = { type: 'peer.misbehaved', code: 'BLOCKS_NOT_GAPLESS' } as const;
    chart.send(bad);
    chart.send(bad);
    expect(chart.snapshot.value).toBe('banned');
  });

  it('charges frames that the link refused, and an end that ws itself made', () => {
    const chart = connected();
    const refusal = { code: 'NOT_CANONICAL', kind: 'Vote' } as const;
    chart.send({ type: 'frame.refused', connection: 1, refusal });
    chart.send({ type: 'link.closed', connection: 1, reason: 'FRAME_REFUSED', detail: 'x' });
    expect(chart.snapshot.value).toBe('banned');
  });

  it('does not ban for what is our own fault', () => {
    const chart = connected();
    for (let count = 0; count < 1_000; count += 1) {
      chart.send({ type: 'peer.misbehaved', code: 'STORAGE_FAILED' });
    }
    expect(chart.snapshot.value).toBe('connected');
  });
});

describe('peer chart: guests', () => {
  it('greets the router, and ends when its connection does', () => {
    const chart = peer({ standing: 'guest', offer: card(1) });
    expect(told(chart.effects, 'router')).toEqual([{ type: 'guest.started', peer: HIGH }]);
    chart.send(closed(1));
    expect(chart.snapshot.status).toBe('done');
  });

  it('that the configuration names is dialed, comes back when it was lost, and is kept when it leaves the set (SY-15)', () => {
    const chart = connected({ standing: 'guest', kept: true, endpoint: ENDPOINT });
    expect(chart.snapshot.value).toBe('connected');
    chart.send(closed(1));
    expect(chart.snapshot.value).toBe('backingOff');
    chart.elapse();
    expect(chart.snapshot.value).toBe('dialing');
    const validator = connected({ kept: true, endpoint: ENDPOINT });
    validator.send({ type: 'standing.changed', standing: 'guest' });
    validator.send(closed(1));
    validator.elapse();
    expect(validator.snapshot.value).toBe('dialing');
  });

  it('stays and dials when it becomes a validator', () => {
    const chart = peer({ standing: 'guest', offer: card(1), endpoint: ENDPOINT });
    const effects = chart.send({ type: 'standing.changed', standing: 'validator' });
    expect(told(effects, 'peer/x/link#1')).toEqual([{ type: 'link.standingChanged', standing: 'validator' }]);
    chart.send(closed(1));
    chart.elapse();
    expect(chart.snapshot.value).toBe('dialing');
  });

  it('ends a peer that leaves the set and is not connected', () => {
    const chart = peer();
    const effects = chart.send({ type: 'standing.changed', standing: 'guest' });
    expect(told(effects, 'router')).toEqual([{ type: 'guest.started', peer: HIGH }]);
    expect(chart.snapshot.status).toBe('done');
  });
});
