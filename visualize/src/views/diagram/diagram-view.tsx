/**
 * View 2, the space-time diagram: a lane for each node, time to the right, each message an arrow. `Screen` draws; this has what people press
 * and read: the legend, the words under the pointer, and both ends of the chosen message.
 */
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import './diagram.css';
import '../families.css';
import type { StepEvent } from '../../../../src/observe/feed/feed.ts';
import type { Selection } from '../../feed/selection.ts';
import { useFrames, usePage, usePageStore } from '../../feed/use-page.ts';
import { type Family, FIRST_SHOWN } from '../families.ts';
import { DiagramTip } from './diagram-tip.tsx';
import { EndsPanel } from './ends-panel.tsx';
import { Legend } from './legend.tsx';
import type { FlightsDrawn } from './paint-flights.ts';
import { watchTheme } from './palette.ts';
import { unreadWords } from './read-part.ts';
import { type Pointed, Screen } from './screen.ts';
import type { End } from './travel.ts';
import { usePointer } from './use-pointer.ts';
import { useSmoothFollow } from './use-smooth-follow.ts';

export function DiagramView(): ReactNode {
  const store = usePageStore();
  const host = useRef<HTMLDivElement>(null);
  const run = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const [screen, setScreen] = useState<Screen>();
  const [pointed, setPointed] = useState<Pointed>();
  const [end, setEnd] = useState<End>();
  const [step, setStep] = useState<StepEvent>();
  const [isFollowing, setFollowing] = useState(true);
  const [detail, setDetail] = useState<FlightsDrawn['detail']>('each');
  const [families, setFamilies] = useState<ReadonlySet<Family>>(new Set());
  const [shown, setShown] = useState<ReadonlySet<Family>>(FIRST_SHOWN);

  useEffect(() => {
    if (host.current === null || run.current === null || marks.current === null) return undefined;
    const made = new Screen(host.current, run.current, marks.current, {
      pointed: setPointed,
      followed: setFollowing,
      drew: (drawn) => {
        setDetail(drawn.detail);
        setFamilies((before) => grown(before, made.book.families));
      },
      chose: (chosen, chosenStep) => {
        setEnd(chosen);
        setStep(chosenStep);
        store.select(selectionOf(chosen, chosenStep));
      },
    });
    made.show(store.get());
    setScreen(made);
    return keepFitting(made, host.current);
  }, [store]);

  useFrames((state) => screen?.show(state));
  useSelected(screen, setEnd);
  useSmoothFollow(screen);
  usePointer(host, screen);

  useEffect(() => screen?.filter(shown), [screen, shown]);
  return (
    <section className="diagram">
      <Legend
        screen={screen}
        shown={shown}
        families={families}
        onChange={setShown}
        isFollowing={isFollowing}
        detail={detail}
      />
      <div
        ref={host}
        className="diagram-plot"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrows move along messages here, as the label says
        tabIndex={0}
        role="application"
        aria-label={LABEL}
        onKeyDown={(event) => screen !== undefined && onKey(event, screen)}
      >
        <canvas ref={run} />
        <canvas ref={marks} />
        <Empty />
        {pointed === undefined || screen === undefined ? null : (
          <DiagramTip pointed={pointed} screen={screen} />
        )}
      </div>
      <EndsPanel end={end} step={step} book={screen?.book} onClose={() => screen?.choose(undefined)} />
    </section>
  );
}

/** The same set where nothing came to it, so that nothing is drawn anew. */
const grown = (before: ReadonlySet<Family>, now: ReadonlySet<Family>): ReadonlySet<Family> =>
  before.size === now.size ? before : new Set(now);

/** To its place, and to the theme. Gives what ends that. */
function keepFitting(screen: Screen, host: HTMLElement): () => void {
  const observer = new ResizeObserver(() => screen.resize());
  observer.observe(host);
  const unwatch = watchTheme(() => screen.recolour());
  screen.resize();
  return () => {
    observer.disconnect();
    unwatch();
  };
}

const LABEL =
  'Space-time diagram. Left and right go to the next message on the lane, up and down to the other end of the message, plus and minus zoom, F follows, 0 shows all, Escape clears.';

function selectionOf(end: End | undefined, step: StepEvent | undefined): Partial<Selection> {
  if (end !== undefined) {
    const { node, id, block } = (end.side === 'sent' ? end.flight.sent : end.flight.received) ?? {};
    return { node, message: id, ...(block === undefined ? {} : { block }) };
  }
  if (step === undefined) return { message: undefined };
  const { node, cell, block } = step;
  return { node, cell, message: undefined, ...(block === undefined ? {} : { block }) };
}

/** What another view chose, or the address of the page. */
function useSelected(screen: Screen | undefined, setEnd: (end: End | undefined) => void): void {
  const message = usePage(({ selection }) => selection.message);
  const node = usePage(({ selection }) => selection.node);
  useEffect(() => {
    if (screen === undefined) return;
    const { selected } = screen;
    if (message === undefined) {
      if (selected !== undefined) screen.mark(undefined);
      setEnd(undefined);
      return;
    }
    if (selected?.flight.sent?.id === message || selected?.flight.received?.id === message) return;
    const flight = screen.flightOf(message, node);
    if (flight === undefined) return;
    const isArrived = flight.received !== undefined && (flight.to === node || flight.sent === undefined);
    const end: End = { flight, side: isArrived ? 'received' : 'sent' };
    screen.follow(false);
    screen.mark(end);
    setEnd(end);
  }, [screen, message, node, setEnd]);
}

/** Zoom of one key press. */
const ZOOM_KEY = 1.4;
/** @unit px */
const PAN_KEY = 160;

function onKey(event: KeyboardEvent, screen: Screen): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = KEYS.get(event.key);
  if (act === undefined) return;
  event.preventDefault();
  act(screen, event.shiftKey);
}

const KEYS: ReadonlyMap<string, (screen: Screen, isShift: boolean) => void> = new Map([
  ['ArrowRight', (screen, isShift) => (isShift ? screen.panBy(-PAN_KEY) : screen.travel('next'))],
  ['ArrowLeft', (screen, isShift) => (isShift ? screen.panBy(PAN_KEY) : screen.travel('previous'))],
  ['ArrowUp', (screen) => screen.travel('across')],
  ['ArrowDown', (screen) => screen.travel('across')],
  ['PageDown', (screen) => screen.scrollBy(PAN_KEY)],
  ['PageUp', (screen) => screen.scrollBy(-PAN_KEY)],
  ['+', (screen) => screen.zoomBy(1 / ZOOM_KEY)],
  ['=', (screen) => screen.zoomBy(1 / ZOOM_KEY)],
  ['-', (screen) => screen.zoomBy(ZOOM_KEY)],
  ['0', (screen) => screen.fit()],
  ['f', (screen) => screen.follow(true)],
  ['F', (screen) => screen.follow(true)],
  ['Escape', (screen) => screen.choose(undefined)],
] satisfies [string, (screen: Screen, isShift: boolean) => void][]);

/** Why there is nothing to see. */
function Empty(): ReactNode {
  const isEmpty = usePage(({ shown }) => shown.wire.size === 0);
  const nodes = usePage(({ shown }) => shown.nodes.length);
  const unread = usePage(({ hello, time }) => unreadWords(hello?.run, time.at));
  if (unread !== undefined) return <p className="diagram-empty">{unread}</p>;
  if (!isEmpty) return null;
  return <p className="diagram-empty">{emptyWords(nodes)}</p>;
}

function emptyWords(nodes: number): string {
  if (nodes === 0) return 'No node has told anything yet.';
  if (nodes === 1)
    return 'One node alone sends nothing to anybody. Messages appear here when it has peers, or when this page shows the whole network.';
  return 'No message between nodes yet. Each proposal, vote and certificate will be an arrow from lane to lane.';
}
