/** The chosen message or step: what it was, and the cells of both ends as they stood at that instant. */
import type { ReactNode } from 'react';
import '../ends.css';
import type { At, CellRow, NodeIndex, StepEvent } from '../../../../src/observe/feed/feed.ts';
import { usePage, usePageStore } from '../../feed/use-page.ts';
import { FamilySample } from '../family-sample.tsx';
import { byteCount, clockOf, duration, FATE_WORDS, nodeName, STEP_WORDS, shortId } from '../words.ts';
import { cellsOfInterest, stepsOfTurn } from './ends.ts';
import { type Flight, type FlightBook, tookMsOf } from './flights.ts';
import type { End } from './travel.ts';

interface EndsProps {
  readonly end: End | undefined;
  readonly step: StepEvent | undefined;
  readonly book: FlightBook | undefined;
  readonly onClose: () => void;
}

export function EndsPanel({ end, step, book, onClose }: EndsProps): ReactNode {
  const store = usePageStore();
  if (end === undefined && step === undefined) return null;
  return (
    <aside className="ends" aria-label="The chosen message" aria-live="polite">
      <button type="button" className="ends-close" aria-label="Close" onClick={onClose}>
        ×
      </button>
      {end === undefined || book === undefined ? null : (
        <>
          <FlightEnds end={end} book={book} />
          <button type="button" className="link" onClick={() => store.select({ view: 'messages' })}>
            Decoded, in the list of messages
          </button>
        </>
      )}
      {end === undefined && step !== undefined ? <StepEnd step={step} /> : null}
    </aside>
  );
}

export function FlightEnds({ end, book }: { readonly end: End; readonly book: FlightBook }): ReactNode {
  const store = usePageStore();
  const { flight } = end;
  const event = flight.sent ?? flight.received;
  const fate = book.fateOf(flight);
  const took = tookMsOf(flight);
  const refused = flight.received?.refused;
  const isWrong = fate === 'lost' || fate === 'refused';
  return (
    <>
      <h2>
        <FamilySample family={flight.family} /> {flight.kind}
      </h2>
      <p className={isWrong ? 'is-bad' : 'is-muted'}>
        {FATE_WORDS[fate]}
        {took === undefined ? '' : ` after ${duration(took)}`}
        {took === undefined ? '' : `, usual ${duration(book.usualMs)}`}
      </p>
      {refused === undefined ? null : (
        <p className="ends-refusal">
          <code>{refused.code}</code> {refused.detail}
        </p>
      )}
      <dl className="ends-facts">
        <Fact name="epoch" value={event?.epoch} />
        <Fact name="round" value={event?.round} />
        <Fact name="height" value={event?.height} />
        <Fact name="size" value={event?.bytes === undefined ? undefined : byteCount(event.bytes)} />
        <dt hidden={event?.block === undefined}>block</dt>
        <dd hidden={event?.block === undefined}>
          <button
            type="button"
            className="link mono"
            onClick={() => store.select({ view: 'chain', block: event?.block })}
          >
            {shortId(event?.block ?? '')}
          </button>
        </dd>
      </dl>
      <FlightSide flight={flight} side="sent" isChosen={end.side === 'sent'} />
      <FlightSide flight={flight} side="received" isChosen={end.side === 'received'} />
    </>
  );
}

function FlightSide({
  flight,
  side,
  isChosen,
}: {
  readonly flight: Flight;
  readonly side: 'sent' | 'received';
  readonly isChosen: boolean;
}): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  const event = side === 'sent' ? flight.sent : flight.received;
  const node = side === 'sent' ? flight.from : flight.to;
  return (
    <section className="ends-side" data-chosen={isChosen}>
      <h3>
        {side === 'sent' ? 'Sent by' : 'Received by'} {nodeName(nodes, node)}
      </h3>
      {event === undefined ? (
        <p className="is-muted">
          {typeof node === 'string' ? 'That node is not watched.' : 'Not seen at this end.'}
        </p>
      ) : (
        <NodeThen node={event.node} at={event.at} turn={event.turn} epoch={event.epoch} round={event.round} />
      )}
    </section>
  );
}

function StepEnd({ step }: { readonly step: StepEvent }): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  return (
    <>
      <h2>
        {nodeName(nodes, step.node)} {STEP_WORDS[step.kind]}
      </h2>
      {step.detail === undefined ? null : <p className="is-muted">{step.detail}</p>}
      {step.refused === undefined ? null : (
        <p className="ends-refusal">
          <code>{step.refused.code}</code> {step.refused.detail}
        </p>
      )}
      <dl className="ends-facts">
        <Fact name="epoch" value={step.epoch} />
        <Fact name="round" value={step.round} />
        <Fact name="height" value={step.height} />
        <Fact name="block" value={step.block === undefined ? undefined : shortId(step.block)} />
      </dl>
      <section className="ends-side" data-chosen="true">
        <h3>At that instant</h3>
        <NodeThen node={step.node} at={step.at} turn={step.turn} epoch={step.epoch} round={step.round} />
      </section>
    </>
  );
}

interface ThenProps {
  readonly node: NodeIndex;
  readonly at: At;
  readonly turn: number;
  readonly epoch: number | undefined;
  readonly round: number | undefined;
}

/** The consensus cells of a node as they stood then; from this page's own memory of the run. */
function NodeThen({ node, at, turn, epoch, round }: ThenProps): ReactNode {
  const store = usePageStore();
  const shown = usePage((state) => state.shown);
  const model = store.modelAt(at) ?? shown;
  const cells = cellsOfInterest(model.cells, node, epoch, round);
  const steps = stepsOfTurn(shown.steps, node, at, turn);
  const open = (cell: string): void => {
    store.seek(at);
    store.select({ node, cell });
  };
  return (
    <>
      <p className="ends-when">
        <time>{clockOf(at)}</time> <span className="is-muted">turn {turn}</span>
        <button type="button" className="link" onClick={() => store.seek(at)}>
          Show this instant
        </button>
      </p>
      {steps.map((step) => (
        <p key={`${step.kind} ${step.at}`}>{STEP_WORDS[step.kind]}</p>
      ))}
      <ul className="ends-cells">
        {cells.map((cell) => (
          <CellLine key={cell.address} cell={cell} onOpen={open} />
        ))}
      </ul>
    </>
  );
}

function CellLine({
  cell,
  onOpen,
}: {
  readonly cell: CellRow;
  readonly onOpen: (address: string) => void;
}): ReactNode {
  const states = (cell.states ?? []).map((state) => state.split('.').slice(1).join('.') || state);
  return (
    <li>
      <button type="button" className="link" onClick={() => onOpen(cell.address)}>
        {cell.address.split('/').slice(1).join('/') || cell.address}
      </button>
      <span className="ends-state">{states.length === 0 ? cell.status : states.join(', ')}</span>
    </li>
  );
}

function Fact({
  name,
  value,
}: {
  readonly name: string;
  readonly value: string | number | undefined;
}): ReactNode {
  if (value === undefined) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}
