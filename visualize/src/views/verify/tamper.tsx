/** Lets the reader turn one bit of the proof over, to see that the check is one. */
import type { ReactNode } from 'react';
import type { Done } from './use-verifier.ts';

interface TamperProps {
  readonly work: Done;
  readonly onTamper: (work: Done, bit: number | undefined) => void;
}

/** Shown on each side of the changed byte. @unit bytes */
const AROUND = 8;

export function Tamper({ work, onTamper }: TamperProps): ReactNode {
  const { proof } = work.verified.certificate;
  const bits = proof.length * 4;
  const { tampered } = work;
  return (
    <section className="verify-tamper" aria-label="Tamper with the proof">
      <p>
        <b>Do not take this page’s word for it.</b> Change one of the proof’s {bits} bits; every one of them
        matters.
      </p>
      <div className="verify-tamper-row">
        <button type="button" onClick={() => onTamper(work, Math.floor(Math.random() * bits))}>
          Flip a random bit
        </button>
        <button type="button" onClick={() => onTamper(work, bits - 1 - Math.floor(Math.random() * 96 * 8))}>
          Flip a bit of the signature
        </button>
        {tampered === undefined ? null : (
          <button type="button" onClick={() => onTamper(work, undefined)}>
            Put it back
          </button>
        )}
      </div>
      {tampered === undefined ? null : <Changed proof={proof} bit={tampered} />}
    </section>
  );
}

function Changed({ proof, bit }: { readonly proof: string; readonly bit: number }): ReactNode {
  const place = bit >> 3;
  const pair = (at: number): string => proof.slice(2 * at, 2 * at + 2);
  const was = pair(place);
  const is = (Number.parseInt(was, 16) ^ (0x80 >> (bit & 7))).toString(16).padStart(2, '0');
  const before = Array.from({ length: Math.min(AROUND, place) }, (_, at) =>
    pair(place - Math.min(AROUND, place) + at),
  );
  const after = Array.from({ length: AROUND }, (_, at) => pair(place + 1 + at)).filter(Boolean);
  return (
    <p className="verify-bytes">
      <span className="is-muted">byte {place}: </span>
      <code>
        … {before.join(' ')} <del>{was}</del> <ins>{is}</ins> {after.join(' ')} …
      </code>
    </p>
  );
}
