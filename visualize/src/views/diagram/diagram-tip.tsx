/** The words at the pointer: which message, or which step. */
import type { ReactNode } from 'react';
import type { StepEvent } from '../../../../src/observe/feed/feed.ts';
import { usePage } from '../../feed/use-page.ts';
import { FamilySample } from '../family-sample.tsx';
import { byteCount, clockOf, duration, FATE_WORDS, nodeName, STEP_WORDS, shortId } from '../words.ts';
import { type Flight, tookMsOf } from './flights.ts';
import type { Pointed, Screen } from './screen.ts';

/** @unit px */
const TIP_WIDTH = 300;
const TIP_HEIGHT = 120;

export function DiagramTip({
  pointed,
  screen,
}: {
  readonly pointed: Pointed;
  readonly screen: Screen;
}): ReactNode {
  const { x, y, flight, step } = pointed;
  const { width, height } = screen.view;
  // On the other side of the pointer where it would leave the diagram.
  const left = x + TIP_WIDTH + 24 > width ? x - TIP_WIDTH - 14 : x + 14;
  const top = y + TIP_HEIGHT > height ? y - TIP_HEIGHT : y + 14;
  return (
    <div className="diagram-tip" style={{ left, top, width: TIP_WIDTH }} role="tooltip">
      {flight === undefined ? null : <FlightWords flight={flight} screen={screen} />}
      {step === undefined ? null : <StepWords step={step} />}
    </div>
  );
}

function FlightWords({ flight, screen }: { readonly flight: Flight; readonly screen: Screen }): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  const event = flight.sent ?? flight.received;
  const fate = screen.book.fateOf(flight);
  const took = tookMsOf(flight);
  const refused = flight.received?.refused;
  return (
    <>
      <b>
        <FamilySample family={flight.family} /> {flight.kind}
      </b>
      <span>
        {nodeName(nodes, flight.from)} → {nodeName(nodes, flight.to)}
        {event?.round === undefined ? '' : ` · round ${event.round}`}
        {event?.height === undefined ? '' : ` · height ${event.height}`}
        {event?.bytes === undefined ? '' : ` · ${byteCount(event.bytes)}`}
      </span>
      <span className={fate === 'lost' || fate === 'refused' ? 'is-bad' : 'is-muted'}>
        {FATE_WORDS[fate]}
        {took === undefined ? '' : ` after ${duration(took)}`}
        {fate === 'late' ? `; its neighbours take ${duration(screen.book.usualMs)}` : ''}
      </span>
      {refused === undefined ? null : (
        <span className="is-bad">
          <code>{refused.code}</code> {refused.detail}
        </span>
      )}
    </>
  );
}

function StepWords({ step }: { readonly step: StepEvent }): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  return (
    <>
      <b>
        {nodeName(nodes, step.node)} {STEP_WORDS[step.kind]}
      </b>
      <span>
        {step.round === undefined ? '' : `round ${step.round} · `}
        {step.height === undefined ? '' : `height ${step.height} · `}
        {step.block === undefined ? '' : `block ${shortId(step.block)} · `}
        {clockOf(step.at)}
      </span>
      <span className="is-muted">
        {step.cell}
        {step.detail === undefined ? '' : `: ${step.detail}`}
      </span>
      {step.refused === undefined ? null : (
        <span className="is-bad">
          <code>{step.refused.code}</code> {step.refused.detail}
        </span>
      )}
    </>
  );
}
