/** Which alerts about sync stand and since when; their words and remedies. Pure. Rules SY-1, SY-4, SY-5, SY-11, docs/protocol/sync.md. */
import type { Monotonic } from '../../base/units.ts';
import type { SyncAlert } from './types.ts';

/** What an alert means, and what the operator can do about it. */
export const SYNC_ALERTS: Readonly<Record<SyncAlert, { readonly means: string; readonly remedy: string }>> = {
  NoSyncPeers: {
    means: 'no validator is connected to ask',
    remedy: 'check the network, the firewall and the peers in althing.toml',
  },
  PeerPollContradictsCertificate: {
    means: '67% of the peers say something else than a verified certificate; the certificate is believed',
    remedy: 'find out which peers lag or lie (althing sync shows their claims)',
  },
  GenesisSplit: {
    means: 'validators with a third of the power or more have another genesis; nothing is fetched',
    remedy: 'compare genesis.json with that of the other operators; one of the networks is not yours',
  },
  GapNotClosed: {
    means: 'blocks that this node lacks could not be fetched',
    remedy: 'look at the peers (althing sync); althing sync --now tries again at once',
  },
  SyncStalled: {
    means: 'blocks are missing and none has come for a while, although other peers were asked',
    remedy: 'check bandwidth, disk and peers; althing sync --now tries again at once',
  },
  ForkDetected: {
    means:
      'two proofs contradict each other: a third of the power or more has signed both; this node signs nothing any more',
    remedy:
      'keep the evidence file, talk to the other operators, and restore with althing resync what they agree on',
  },
  CriticalSyncRequired: {
    means: 'this node cannot get in sync by itself, and starts no full download by itself',
    remedy: 'talk to the other operators, then althing resync, if need be with --checkpoint HEIGHT:ID',
  },
};

/** In the order in which they are shown. */
export const SYNC_ALERT_NAMES: readonly SyncAlert[] = [
  'ForkDetected',
  'CriticalSyncRequired',
  'GenesisSplit',
  'SyncStalled',
  'GapNotClosed',
  'PeerPollContradictsCertificate',
  'NoSyncPeers',
];

/** A sentence with the values, and since when it is so. */
export interface StandingAlert {
  readonly detail: string;
  readonly since: Monotonic;
}
export type SyncAlerts = ReadonlyMap<SyncAlert, StandingAlert>;

export interface SyncAlertStep {
  readonly raised: readonly { readonly alert: SyncAlert; readonly detail: string }[];
  readonly cleared: readonly SyncAlert[];
  readonly standing: SyncAlerts;
}

/** From the alerts that stand to those that should; each is raised once and cleared once. A changed detail alone is no event. */
export function stepSyncAlerts(
  standing: SyncAlerts,
  wanted: ReadonlyMap<SyncAlert, string>,
  now: Monotonic,
): SyncAlertStep {
  const entries = SYNC_ALERT_NAMES.flatMap((alert) => {
    const detail = wanted.get(alert);
    return detail === undefined ? [] : [{ alert, detail }];
  });
  return {
    raised: entries.filter(({ alert }) => !standing.has(alert)),
    cleared: SYNC_ALERT_NAMES.filter((alert) => standing.has(alert) && !wanted.has(alert)),
    standing: new Map(
      entries.map(({ alert, detail }) => [alert, { detail, since: standing.get(alert)?.since ?? now }]),
    ),
  };
}
