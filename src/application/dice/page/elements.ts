/** Elements of the page. Texts go in as text nodes alone: names are whatever their players chose. Boundary: the document. */

type Child = Node | string | undefined;
type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** `false` and undefined leave an attribute out; `true` gives it no value. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

export function button(attributes: Attributes, text: string, pressed: () => void): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, text);
  made.addEventListener('click', pressed);
  return made;
}

/** @throws when index.html and the scripts do not fit together */
export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`index.html has no ${kind.name} with the id ${id}`);
}

/** Replaces what is in a place when `key` is another than last time; what had the focus keeps it, by its id. */
export function place(into: HTMLElement, key: unknown, make: () => readonly Child[]): void {
  const text = JSON.stringify(key);
  if (drawn.get(into) === text) return;
  drawn.set(into, text);
  const focused = into.contains(document.activeElement) ? document.activeElement?.id : undefined;
  into.replaceChildren(...make().filter((child) => child !== undefined));
  if (focused !== undefined && focused !== '') document.getElementById(focused)?.focus();
}

const drawn = new WeakMap<HTMLElement, string>();

/** A disc in a colour of the key's own, with the name's first letter. */
export function avatar(key: string, name: string): HTMLElement {
  const made = element('span', { class: 'avatar', 'aria-hidden': 'true' }, [...name][0]?.toUpperCase() ?? '');
  made.style.setProperty('--hue', String(Number.parseInt(key.slice(0, 4), 16) % 360));
  return made;
}

export const chips = (count: number): string => count.toLocaleString('en');
