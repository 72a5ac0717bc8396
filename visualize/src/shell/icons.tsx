/** Small pictures of buttons, drawn with the ink of their text. */
import type { ReactNode } from 'react';

const PATHS = {
  play: 'M5 3.5v9l7.5-4.5z',
  pause: 'M4.5 3.5h2.4v9H4.5zM9.1 3.5h2.4v9H9.1z',
  forward: 'M4 3.5v9L10 8zM10.8 3.5h1.7v9h-1.7z',
  back: 'M12 3.5v9L6 8zM3.5 3.5h1.7v9H3.5z',
  open: 'M6 4l4 4-4 4',
} as const;

export function Icon({ name }: { readonly name: keyof typeof PATHS }): ReactNode {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark of the project: three that agree. */
export function Mark(): ReactNode {
  return (
    <svg className="mark" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      <path d="M10 4 16.5 15.5H3.5Z" />
      <circle cx="10" cy="4" r="2.3" />
      <circle cx="16.5" cy="15.5" r="2.3" />
      <circle cx="3.5" cy="15.5" r="2.3" />
    </svg>
  );
}
