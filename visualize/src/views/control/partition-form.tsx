/** Cuts the network: each validator goes to a side, and sides do not hear each other until they are healed. */
import { type ReactNode, useState } from 'react';
import type { NodeIndex } from '../../../../src/observe/feed/feed.ts';
import { usePaced, usePage } from '../../feed/use-page.ts';
import type { Give } from './control-view.tsx';
import { sidesOf } from './orders.ts';

const SIDES = ['A', 'B', 'C'] as const;
type Side = (typeof SIDES)[number];

export function PartitionForm({ give }: { readonly give: Give }): ReactNode {
  const nodes = usePaced(({ newest }) => newest.nodes);
  const orders = usePage((state) => state.orders);
  const inForce = sidesOf(orders);
  // As they are, until somebody moves one.
  const [sides, setSides] = useState<ReadonlyMap<NodeIndex, Side>>(
    () => new Map([...inForce].map(([node, side]) => [node, SIDES[side] ?? 'A'])),
  );
  const groups = SIDES.map((side) =>
    nodes.flatMap((_, node) => ((sides.get(node) ?? 'A') === side ? [node] : [])),
  );
  const used = groups.filter(({ length }) => length > 0);
  return (
    <section className="card" aria-label="Partition">
      <h2>Partition</h2>
      <p className="muted">
        Put validators on sides that shall not hear each other. Only a side with a quorum goes on.
        {inForce.size === 0 ? null : <b className="warn"> The network is cut now.</b>}
      </p>
      <div className="sides">
        {nodes.map(({ id, moniker }, node) => (
          <fieldset key={id}>
            <legend>{moniker}</legend>
            {SIDES.map((side) => (
              <label key={side}>
                <input
                  type="radio"
                  name={`side-${id}`}
                  checked={(sides.get(node) ?? 'A') === side}
                  onChange={() => setSides(new Map([...sides, [node, side]]))}
                />
                {side}
              </label>
            ))}
          </fieldset>
        ))}
      </div>
      <div className="confirm-buttons">
        <button
          type="button"
          className="button"
          onClick={() => {
            setSides(new Map());
            give({ kind: 'partition', groups: [] });
          }}
        >
          Heal all
        </button>
        <button
          type="button"
          className="button main"
          disabled={used.length < 2}
          onClick={() => give({ kind: 'partition', groups: used })}
        >
          Cut
        </button>
      </div>
    </section>
  );
}
