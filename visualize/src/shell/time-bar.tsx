/** The instant that all views show: live or any other, with play, pause, steps, speed, and a breakpoint for runs that are played again. */
import { type ReactNode, useState } from 'react';
import './time-bar.css';
import { isRemote } from '../feed/store.ts';
import { usePaced, usePage, usePageStore } from '../feed/use-page.ts';
import { Icon } from './icons.tsx';
import { TimeTrack } from './time-track.tsx';
import { clockTime, duration } from './words.ts';

export const SPEEDS: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10];

export function TimeBar(): ReactNode {
  const store = usePageStore();
  const isLive = usePage(({ time }) => time.isLive);
  const isPlaying = usePage(({ time }) => time.isPlaying);
  const isPlayed = usePage(({ hello }) => isRemote(hello?.run));
  const isConnected = usePage(({ connection }) => connection.status === 'open');
  const isMoving = isLive || isPlaying;
  return (
    <section className="time-bar" aria-label="Time">
      <div className="time-buttons">
        <button type="button" title="One step back (←)" aria-label="Step back" onClick={() => store.step(-1)}>
          <Icon name="back" />
        </button>
        <button
          type="button"
          className="play"
          title={isMoving ? 'Pause (space)' : 'Play on from here (space)'}
          aria-label={isMoving ? 'Pause' : 'Play'}
          onClick={() => (isMoving ? store.pause() : store.play())}
        >
          <Icon name={isMoving ? 'pause' : 'play'} />
        </button>
        <button type="button" title="One step on (→)" aria-label="Step on" onClick={() => store.step(1)}>
          <Icon name="forward" />
        </button>
        {isPlayed ? null : (
          <button
            type="button"
            className="live"
            aria-pressed={isLive && isConnected}
            title={isConnected ? 'Follow the newest (L)' : 'Not connected: nothing new comes'}
            onClick={() => store.goLive()}
          >
            <i className="dot" />
            Live
          </button>
        )}
      </div>
      <Instant />
      <TimeTrack />
      <Speed />
      {isPlayed ? <Breakpoint /> : null}
    </section>
  );
}

function Instant(): ReactNode {
  const at = usePaced(({ time }) => time.at);
  const behind = usePaced(({ time }) => (time.isLive ? 0 : time.to - time.at));
  const isPlayed = usePage(({ hello }) => isRemote(hello?.run));
  const isConnected = usePaced(({ connection }) => connection.status === 'open');
  const from = usePage(({ time }) => time.from);
  const title = at > 0 ? new Date(at).toISOString() : '';
  return (
    <div className="instant">
      <time title={title} dateTime={title}>
        {clockTime(at)} <small>UTC</small>
      </time>
      <span className="behind">
        {isPlayed
          ? `${duration(at - from)} in`
          : behind > 0
            ? `${duration(behind)} ago`
            : isConnected
              ? 'now'
              : 'the last it heard'}
      </span>
    </div>
  );
}

function Speed(): ReactNode {
  const store = usePageStore();
  const speed = usePage(({ time }) => time.speed);
  return (
    <label className="speed" title="Speed of playing ([ slower, ] faster)">
      <span className="unseen">Speed</span>
      <select value={speed} onChange={({ target }) => store.setSpeed(Number(target.value))}>
        {SPEEDS.map((value) => (
          <option key={value} value={value}>
            {value}×
          </option>
        ))}
      </select>
    </label>
  );
}

function Breakpoint(): ReactNode {
  const store = usePageStore();
  const set = usePage(({ time }) => time.breakpoint);
  const stopped = usePage(({ time }) => time.stopped);
  const [text, setText] = useState(set);
  return (
    <form
      className="breakpoint"
      onSubmit={(event) => {
        event.preventDefault();
        store.setBreakpoint(text.trim());
      }}
    >
      <input
        aria-label="Breakpoint"
        placeholder="break on … (round > 3)"
        title="Plays until it holds, as althing replay --break. Enter sets it, empty is none."
        value={text}
        spellCheck={false}
        onChange={({ target }) => setText(target.value)}
      />
      {stopped === undefined ? null : (
        <output className="stopped" title={stopped}>
          {stopped}
        </output>
      )}
    </form>
  );
}
