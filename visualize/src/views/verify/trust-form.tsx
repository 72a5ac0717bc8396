/** What the reader starts from: the genesis that the node gives, one that they have from elsewhere, or a later epoch by its hash. */
import { type ReactNode, useState } from 'react';
import { usePage } from '../../feed/use-page.ts';
import type { Trusted } from './report.ts';
import { readTrusted } from './trusted.ts';

interface TrustProps {
  readonly trusted: Trusted | undefined;
  readonly onChange: (trusted: Trusted | undefined) => void;
}

export function TrustForm({ trusted, onChange }: TrustProps): ReactNode {
  const told = usePage(({ shown }) => shown.nodes[0]?.genesisHash);
  const [problem, setProblem] = useState('');
  const [isPasting, setPasting] = useState(false);
  const take = (text: string): void => {
    const read = readTrusted(text);
    setProblem(read.problem);
    onChange(read.trusted);
  };
  return (
    <>
      <h2>What you trust</h2>
      <label className="verify-choice">
        <input
          type="radio"
          name="trust"
          checked={!isPasting}
          onChange={() => {
            setPasting(false);
            setProblem('');
            onChange(undefined);
          }}
        />
        <span>
          the genesis that the node gives
          {told === undefined ? null : <code className="verify-hash">{told}</code>}
          <span className="is-muted">
            Compare this hash with one from elsewhere: the proof is worth as much as it is.
          </span>
        </span>
      </label>
      <label className="verify-choice">
        <input type="radio" name="trust" checked={isPasting} onChange={() => setPasting(true)} />
        <span>a genesis document, or a checkpoint, of my own</span>
      </label>
      {isPasting ? (
        <textarea
          aria-label="Genesis document or checkpoint, as JSON"
          placeholder={PLACEHOLDER}
          rows={7}
          spellCheck={false}
          onChange={({ target }) => take(target.value)}
        />
      ) : null}
      {isPasting && problem !== '' ? <p className="is-bad">{problem}</p> : null}
      {isPasting && trusted !== undefined ? (
        <p className="is-good">
          {trusted.kind === 'genesis'
            ? 'A genesis document: its hash is computed here.'
            : 'A checkpoint: an epoch by its hash.'}
        </p>
      ) : null}
    </>
  );
}

const PLACEHOLDER = `genesis.json, or
{"chainId": "…", "genesisHash": "…",
 "epoch": 3, "epochHash": "…"}`;
