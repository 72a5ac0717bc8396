/** What runs, how its nodes are, how the page is connected, and the theme. */
import { type ReactNode, useState } from 'react';
import './header.css';
import { usePaced, usePage, usePageStore } from '../feed/use-page.ts';
import { StatelyButton } from '../stately/stately-button.tsx';
import { ConnectionPill } from './connection-pill.tsx';
import { Mark } from './icons.tsx';
import { glanceAt, type NodeGlance } from './node-state.ts';
import { chosenTheme, showTheme, type Theme } from './theme.ts';
import { counted, shortNamesOf } from './words.ts';

export interface HeaderProps {
  readonly onFind: () => void;
  readonly onHelp: () => void;
}

export function Header({ onFind, onHelp }: HeaderProps): ReactNode {
  const run = usePage(({ hello }) => hello?.run);
  return (
    <header className="header">
      <h1 className="brand">
        <Mark />
        Althing
      </h1>
      <span className="run" title={run?.title}>
        {run?.title ?? ''}
      </span>
      <Nodes />
      <ConnectionPill />
      <button type="button" className="find" onClick={onFind} title="Find a cell, a node or a block (/)">
        Find <kbd>/</kbd>
      </button>
      <StatelyButton />
      <ThemeSwitch />
      <button type="button" className="help" onClick={onHelp} title="Keys and words (?)" aria-label="Help">
        ?
      </button>
    </header>
  );
}

function Nodes(): ReactNode {
  const model = usePaced(({ shown }) => shown);
  const chosen = usePage(({ selection }) => selection.node);
  const isMany = model.nodes.length > 6;
  const shortNames = isMany ? shortNamesOf(model.nodes.map(({ moniker }) => moniker)) : [];
  return (
    <ul className={isMany ? 'nodes many' : 'nodes'} aria-label="Nodes">
      {model.nodes.map(({ id }, node) => (
        <li key={id}>
          <NodeChip glance={glanceAt(model, node)} isChosen={chosen === node} shortName={shortNames[node]} />
        </li>
      ))}
    </ul>
  );
}

interface ChipProps {
  readonly glance: NodeGlance;
  readonly isChosen: boolean;
  /** Where there are many. */
  readonly shortName: string | undefined;
}

function NodeChip({
  glance: { node, moniker, state, says, height },
  isChosen,
  shortName,
}: ChipProps): ReactNode {
  const store = usePageStore();
  return (
    <button
      type="button"
      className={`node-chip ${state}`}
      title={says}
      aria-pressed={isChosen}
      onClick={() => store.select({ node: isChosen ? undefined : node, cell: undefined })}
    >
      <i className="dot" />
      {shortName ?? moniker}
      <span className="unseen">{state}</span>
      {shortName !== undefined || height === undefined ? null : (
        <span className="height">{counted(height)}</span>
      )}
    </button>
  );
}

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };
const THEME_WORD: Readonly<Record<Theme, string>> = { system: 'Auto', light: 'Light', dark: 'Dark' };

function ThemeSwitch(): ReactNode {
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <button
      type="button"
      className="theme"
      title="Colours: as the system says, light, or dark (T)"
      onClick={() => {
        showTheme(NEXT[theme]);
        setTheme(NEXT[theme]);
      }}
    >
      <span aria-hidden="true">◐ </span>
      {THEME_WORD[theme]}
    </button>
  );
}
