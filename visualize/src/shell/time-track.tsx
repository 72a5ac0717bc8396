/** The bar itself: how busy the run was, its marks, and the instant. A slider to the keyboard, a strip to the pointer. */
import { type PointerEvent, type ReactNode, useRef, useState } from 'react';
import { usePaced, usePageStore } from '../feed/use-page.ts';
import { activityPath, atOf, marksOf, type PlacedMark, shareOf, spanOf } from './track.ts';
import { clockTime } from './words.ts';

/** A click so near to a mark means the mark. @unit share of the bar */
const NEAR = 0.006;

export function TimeTrack(): ReactNode {
  const store = usePageStore();
  const time = usePaced((state) => state.time);
  const run = usePaced(({ hello }) => hello?.run);
  const activity = usePaced((state) => state.activity);
  const track = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<number>();
  const span = spanOf(time, run);
  const marks = marksOf(run, activity, span);
  const shareAt = ({ clientX }: PointerEvent): number => {
    const box = track.current?.getBoundingClientRect();
    return box === undefined ? 0 : Math.min(1, Math.max(0, (clientX - box.left) / box.width));
  };
  const near = pointed === undefined ? undefined : nearest(marks, pointed);
  const seekTo = (share: number): void => store.seek(nearest(marks, share)?.at ?? atOf(span, share));
  return (
    <div
      ref={track}
      className="track"
      role="slider"
      tabIndex={0}
      aria-label="Instant shown"
      aria-valuemin={Math.round(span.from)}
      aria-valuemax={Math.round(span.to)}
      aria-valuenow={Math.round(time.at)}
      aria-valuetext={clockTime(time.at)}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        seekTo(shareAt(event));
      }}
      onPointerMove={(event) => {
        const share = shareAt(event);
        setPointed(share);
        if (event.buttons === 1) seekTo(share);
      }}
      onPointerLeave={() => setPointed(undefined)}
    >
      <svg className="activity" viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
        <path d={activityPath(activity.seconds, span)} />
      </svg>
      <i className="unknown" style={{ width: `${shareOf(span, time.from) * 100}%` }} />
      {marks.map(({ share, kind, at, node }) => (
        <i key={`${at}/${node}/${kind}`} className={`mark-${kind}`} style={{ left: `${share * 100}%` }} />
      ))}
      <i className="cursor" style={{ left: `${shareOf(span, time.at) * 100}%` }} />
      {pointed === undefined ? null : (
        <span
          className={pointed > 0.8 ? 'track-tip left' : 'track-tip'}
          style={{ left: `${pointed * 100}%` }}
        >
          {clockTime(near?.at ?? atOf(span, pointed))}
          {near === undefined ? '' : ` ${near.detail}`}
        </span>
      )}
    </div>
  );
}

function nearest(marks: readonly PlacedMark[], share: number): PlacedMark | undefined {
  const near = marks.filter((mark) => Math.abs(mark.share - share) < NEAR);
  return near.toSorted((left, right) => Math.abs(left.share - share) - Math.abs(right.share - share))[0];
}
