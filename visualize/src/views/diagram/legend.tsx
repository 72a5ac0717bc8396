/** Above the diagram: families to show and hide, what broken arrows mean, and how the view moves. */
import type { ReactNode } from 'react';
import { FAMILIES, type Family } from '../families.ts';
import { FamilySample } from '../family-sample.tsx';
import type { FlightsDrawn } from './paint-flights.ts';
import type { Screen } from './screen.ts';

/** What every run has, sooner or later; others are named when there are some. */
const ALWAYS: ReadonlySet<Family> = new Set(['proposal', 'vote', 'certificate', 'viewChange']);

interface LegendProps {
  readonly screen: Screen | undefined;
  readonly shown: ReadonlySet<Family>;
  /** Those that there are messages of. */
  readonly families: ReadonlySet<Family>;
  readonly onChange: (shown: ReadonlySet<Family>) => void;
  readonly isFollowing: boolean;
  readonly detail: FlightsDrawn['detail'];
}

/** Zoom of one press. */
const ZOOM_PRESS = 1.6;

export function Legend({ screen, shown, families, onChange, isFollowing, detail }: LegendProps): ReactNode {
  const toggle = (family: Family): void => {
    const next = new Set(shown);
    if (!next.delete(family)) next.add(family);
    onChange(next);
  };
  return (
    <div className="diagram-legend" role="toolbar" aria-label="Kinds of messages, and the view">
      <div className="diagram-families">
        {FAMILIES.filter(({ family }) => ALWAYS.has(family) || families.has(family)).map(
          ({ family, label, says }) => (
            <button
              key={family}
              type="button"
              className="family-chip"
              aria-pressed={shown.has(family)}
              title={`${says}. Press to ${shown.has(family) ? 'hide' : 'show'}.`}
              onClick={() => toggle(family)}
            >
              <FamilySample family={family} />
              {label}
            </button>
          ),
        )}
      </div>
      <Fates />
      <span className="diagram-note">{DETAIL_WORDS[detail]}</span>
      <div className="diagram-buttons">
        <button
          type="button"
          aria-label="Zoom out"
          title="Zoom out (−)"
          onClick={() => screen?.zoomBy(ZOOM_PRESS)}
        >
          −
        </button>
        <button
          type="button"
          aria-label="Zoom in"
          title="Zoom in (+)"
          onClick={() => screen?.zoomBy(1 / ZOOM_PRESS)}
        >
          +
        </button>
        <button type="button" title="All that is held (0)" onClick={() => screen?.fit()}>
          Fit
        </button>
        <button
          type="button"
          aria-pressed={isFollowing}
          title="Keep the newest in sight (F)"
          onClick={() => screen?.follow(!isFollowing)}
        >
          Follow
        </button>
      </div>
    </div>
  );
}

const DETAIL_WORDS: Readonly<Record<FlightsDrawn['detail'], string>> = {
  each: '',
  bundles: 'bundled: zoom in for single messages',
  bars: 'bars count messages: sent above the lane, received below',
};

function Fates(): ReactNode {
  return (
    <ul className="diagram-fates" aria-label="What broken arrows mean">
      <li title="It left, and its receiver, which is watched, never had it">
        <svg width="24" height="12" viewBox="0 0 24 12" aria-hidden="true" className="is-bad">
          <path d="M1 6h14" strokeDasharray="3 3" />
          <path d="m15 2.5 7 7m0-7-7 7" />
        </svg>
        lost
      </li>
      <li title="It took much longer than its neighbours">
        <svg width="24" height="12" viewBox="0 0 24 12" aria-hidden="true">
          <path d="M1 6h22" strokeDasharray="7 3" />
        </svg>
        late
      </li>
      <li title="It arrived and was not taken; point at it for the reason">
        <svg width="24" height="12" viewBox="0 0 24 12" aria-hidden="true" className="is-bad">
          <path d="M1 6h13" />
          <circle cx="18.5" cy="6" r="4" />
          <path d="m15.8 8.7 5.4-5.4" />
        </svg>
        refused
      </li>
    </ul>
  );
}
