/**
 * `althing_time`: adjusted time, its sources and alerts. Milliseconds are numbers with microseconds, powers strings, times
 * RFC 3339; what is not known is null. Pure. docs/operator-guide.md.
 */
import { TIME_ALERTS, type TimeUpdate } from '../protocol/time/types.ts';
import { rounded, roundedOrNull } from './numbers.ts';
import { rfc3339, upperHex } from './shapes.ts';
import type { TimeFindings, TimePeer, TimeReport, TimeServer } from './time-port.ts';

/** @param historyMax the newest updates to show; all that the node has without it */
export const timeJson = (report: TimeReport, historyMax = report.history.length): object => ({
  state: report.state,
  source: report.source,
  led_by: report.ledBy ?? null,
  adjusted_time: rfc3339(report.adjustedTime),
  is_adjusted: report.isAdjusted,
  system_time: rfc3339(report.systemTime),
  system_offset_ms: rounded(report.systemOffset),
  error_ms: roundedOrNull(report.error),
  rate_ppm: rounded(report.ratePpm),
  slew_left_ms: rounded(report.slewLeft),
  updates: report.updates,
  last_update_age_ms: roundedOrNull(report.lastUpdateAge),
  may_propose: report.mayPropose,
  alerts: report.alerts.map(({ alert, detail }) => ({ alert, detail })),
  alert_counts: Object.fromEntries(TIME_ALERTS.map((alert) => [alert, report.alertCounts.get(alert) ?? 0])),
  peers: report.peers.map(peerJson),
  servers: report.servers.map(serverJson),
  findings: report.findings === undefined ? null : findingsJson(report.findings),
  history: (historyMax > 0 ? report.history.slice(-historyMax) : []).map(updateJson),
});

const peerJson = (peer: TimePeer): object => ({
  peer: upperHex(peer.id),
  name: peer.name,
  offset_ms: roundedOrNull(peer.offset),
  last_update_age_ms: roundedOrNull(peer.lastUpdateAge),
  round_trip_ms: roundedOrNull(peer.roundTripTime),
  reliability: rounded(peer.reliabilityScore),
  is_synchronised: peer.isSynchronised,
});

const serverJson = (server: TimeServer): object => ({
  server: server.server,
  status: server.status,
  why: server.why,
  reach: server.reach,
  offset_ms: roundedOrNull(server.offset),
  delay_ms: roundedOrNull(server.delay),
  root_distance_ms: roundedOrNull(server.rootDistance),
  stratum: server.stratum ?? null,
});

const findingsJson = ({ peers, ntp, conflict, peersAreSynchronised }: TimeFindings): object => ({
  peers:
    peers.status === 'agreed'
      ? {
          status: peers.status,
          lo_ms: rounded(peers.lo),
          hi_ms: rounded(peers.hi),
          offset_ms: rounded(peers.offset),
          error_ms: rounded(peers.error),
          low: peers.low.map(upperHex),
          high: peers.high.map(upperHex),
        }
      : { status: peers.status, power: String(peers.power), needed: String(peers.needed) },
  ntp:
    ntp.status === 'selected'
      ? {
          status: ntp.status,
          offset_ms: rounded(ntp.offset),
          error_ms: rounded(ntp.error),
          falsetickers: ntp.falsetickers,
        }
      : { ...ntp },
  conflict,
  peers_are_synchronised: peersAreSynchronised,
});

const updateJson = (update: TimeUpdate): object => ({
  at: rfc3339(update.at),
  by: update.by,
  outcome: update.outcome,
  correction_ms: rounded(update.correction),
  error_ms: rounded(update.error),
  system_offset_ms: rounded(update.systemOffset),
  peers: update.peers.map(({ peer, offset }) => ({ peer: upperHex(peer), offset_ms: rounded(offset) })),
});
