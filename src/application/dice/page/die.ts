/** One die: a cube that tumbles while it is not known, and comes to rest on its face. Boundary: the document. */
import { element } from './elements.ts';

/** How the cube is turned so that a face looks at the reader. @unit degrees about x and y */
const TURNED: readonly (readonly [x: number, y: number])[] = [
  [0, 0],
  [-90, 0],
  [0, -90],
  [0, 90],
  [90, 0],
  [0, 180],
];

export type DieState = 'empty' | 'tumbling' | 'hidden' | number;

export class Die {
  readonly root: HTMLElement;
  readonly #cube: HTMLElement;
  #state: DieState | undefined;
  #turns = 0;

  constructor() {
    this.#cube = element(
      'span',
      { class: 'cube' },
      ...TURNED.map((_, index) => element('span', { class: `face face-${index + 1}` })),
    );
    this.root = element('span', { class: 'die', role: 'img' }, this.#cube);
  }

  /** @param delay of the throw, so that dice come to rest one after the other. @unit ms */
  show(state: DieState, delay = 0): void {
    if (this.#state === state) return;
    this.#state = state;
    this.root.dataset['state'] = typeof state === 'number' ? 'thrown' : state;
    this.root.setAttribute('aria-label', typeof state === 'number' ? String(state) : LABELS[state]);
    if (typeof state !== 'number') return;
    const [x, y] = TURNED[state - 1] ?? [0, 0];
    this.#turns += 1;
    const { style } = this.#cube;
    style.setProperty('--delay', `${delay}ms`);
    style.setProperty('--x', `${x + 720 * this.#turns}deg`);
    style.setProperty('--y', `${y + 360 * this.#turns}deg`);
  }
}

const LABELS = { empty: 'no die yet', tumbling: 'rolling', hidden: 'locked in' } as const;
