/** Each check in words, passed, failed or not reached; and who signed. */
import type { ReactNode } from 'react';
import { usePage } from '../../feed/use-page.ts';
import { nodeName, nodeOfId, shortId } from '../words.ts';
import { CHECK_WORDS, type Check, type Report } from './report.ts';

export function CheckList({ report }: { readonly report: Report }): ReactNode {
  return (
    <ol className="verify-checks">
      {report.checks.map((check) => (
        <li key={check.name} className={`is-${check.outcome}`}>
          <Mark outcome={check.outcome} />
          <div>
            <h2>{CHECK_WORDS[check.name].title}</h2>
            <p className="is-muted">{CHECK_WORDS[check.name].why}</p>
            <Says check={check} code={check.outcome === 'failed' ? report.refusal?.code : undefined} />
            {check.name === 'quorum' && check.outcome !== 'notReached' ? <Signers report={report} /> : null}
          </div>
        </li>
      ))}
    </ol>
  );
}

function Says({ check, code }: { readonly check: Check; readonly code: string | undefined }): ReactNode {
  if (check.says === '') return null;
  return (
    <p className="verify-says">
      {code === undefined ? null : <code>{code}</code>} {check.says}
    </p>
  );
}

/** A shape besides the colour. */
function Mark({ outcome }: { readonly outcome: Check['outcome'] }): ReactNode {
  const label = { passed: 'passed', failed: 'failed', notReached: 'not reached' }[outcome];
  return (
    <svg className="verify-mark" width="20" height="20" viewBox="-10 -10 20 20" role="img" aria-label={label}>
      {outcome === 'passed' ? <path d="M-5 .5-1.6 4 5-3.5" /> : null}
      {outcome === 'failed' ? <path d="M-4-4 4 4M4-4-4 4" /> : null}
      {outcome === 'notReached' ? <path d="M-3 0h6" /> : null}
    </svg>
  );
}

function Signers({ report }: { readonly report: Report }): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  const { power, signers } = report;
  if (power === undefined) return null;
  const [signed, quorum, total] = [power.signed, power.quorum, power.total].map(Number);
  const part = (value = 0): string => `${(100 * value) / (total || 1)}%`;
  return (
    <>
      <div className="verify-power" role="img" aria-label={`${signed} of ${total} signed, ${quorum} needed`}>
        <i style={{ width: part(signed) }} />
        <b style={{ left: part(quorum) }} title={`quorum: ${quorum}`} />
      </div>
      <ul className="verify-signers">
        {signers.map(({ address, power: own, signed: has }) => (
          <li key={address} className={has ? '' : 'is-absent'} title={address}>
            {nodeName(nodes, nodeOfId(nodes, address) ?? shortId(address))}{' '}
            <span className="is-muted">{own}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
