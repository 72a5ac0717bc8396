/**
 * The colours of the diagram, read from the page's style sheet, so that it follows the theme. The families' are apart for people who see
 * no red or no green; shapes tell them apart too. Boundary: computed styles.
 */
import { FAMILIES, type Family } from '../families.ts';

export interface Palette {
  readonly family: ReadonlyMap<Family, string>;
  readonly ink: string;
  readonly muted: string;
  readonly faint: string;
  readonly line: string;
  readonly soft: string;
  readonly panel: string;
  readonly band: string;
  readonly failed: string;
  readonly accent: string;
  readonly bad: string;
  readonly good: string;
  readonly font: string;
}

/** Custom properties hold what was written; a colour is known when something wears it. */
export function readPalette(host: HTMLElement): Palette {
  const probe = document.createElement('i');
  probe.style.display = 'none';
  host.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette: Palette = {
    family: new Map(FAMILIES.map(({ family }) => [family, colour(`family-${family}`)])),
    ink: colour('ink'),
    muted: colour('muted'),
    faint: colour('faint'),
    line: colour('line'),
    soft: colour('line-soft'),
    panel: colour('panel'),
    band: colour('diagram-band'),
    failed: colour('diagram-failed'),
    accent: colour('accent'),
    bad: colour('bad'),
    good: colour('good'),
    font: getComputedStyle(host).fontFamily,
  };
  probe.remove();
  return palette;
}

/** The page's theme, or the machine's, changed. Gives what ends the watching. */
export function watchTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ['data-theme', 'class', 'style'] });
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', changed);
  return () => {
    observer.disconnect();
    dark.removeEventListener('change', changed);
  };
}
