/** How the page hears of the run. In the header one word; while it hears nothing, a sentence across the page. */
import type { ReactNode } from 'react';
import type { ConnectionState } from '../feed/connection.ts';
import { usePaced, usePage } from '../feed/use-page.ts';
import { clockTime, short } from './words.ts';

/** Over so long turns are counted for the rate. @unit samples of 250 ms */
const RATE_SAMPLES = 8;

export function ConnectionPill(): ReactNode {
  const status = usePage(({ connection }) => connection.status);
  const samples = usePaced(({ newest }) => newest.samples);
  const dropped = usePaced(({ newest }) => newest.dropped);
  const run = usePage(({ hello }) => hello?.run.kind);
  if (status !== 'open') return <span className={`pill ${status}`}>{WORDS[status]}</span>;
  if (run !== undefined && run !== 'live') {
    return (
      <span className="pill open" title="This run is over: it is played again from its journals.">
        {run} run
      </span>
    );
  }
  const [last, first] = [samples.at(-1), samples.at(-RATE_SAMPLES) ?? samples[0]];
  const span = (last?.at ?? 0) - (first?.at ?? 0);
  const rate = span <= 0 ? 0 : (((last?.turns ?? 0) - (first?.turns ?? 0)) * 1_000) / span;
  const left =
    dropped === 0 ? '' : ` ${short(dropped)} rows were left out so far, since there were too many to show.`;
  return (
    <span className="pill open" title={`Messages that all cells took in the last seconds.${left}`}>
      <i className="dot" />
      {short(rate)} turns/s
    </span>
  );
}

const WORDS: Readonly<Record<ConnectionState['status'], string>> = {
  connecting: 'connecting',
  open: 'connected',
  waiting: 'not connected',
  refused: 'not connected',
};

export function ConnectionNotice(): ReactNode {
  const connection = usePage((state) => state.connection);
  const hasData = usePage(({ newest }) => newest.at > 0);
  const at = usePaced(({ newest }) => newest.at);
  if (connection.status === 'open') return null;
  const rest = hasData ? ` What you see is as it was at ${clockTime(at)}.` : '';
  if (connection.status === 'refused') {
    return (
      <p className="notice bad" role="alert">
        <b>Not connected.</b> {connection.detail}.
        {connection.code === 'ENDED' ? ' Started again, it prints a new address: open that.' : ''}
        {rest} <code>{connection.code}</code>
      </p>
    );
  }
  if (connection.status === 'connecting') {
    return hasData ? null : <p className="notice">Connecting to the node’s feed …</p>;
  }
  return (
    <p className="notice" role="status">
      <b>Not connected:</b> {connection.why}. The page tries again by itself.{rest}
    </p>
  );
}
