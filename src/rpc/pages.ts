/**
 * Web pages that a node serves: a fixed table of path → file, made once before the server listens. No path is computed from a
 * request, so none can lead out of the table. Boundary: HTTP.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface PageFile {
  readonly contentType: string;
  readonly body: Uint8Array;
  /** Strong, in quotes. */
  readonly etag: string;
  /** Content-Security-Policy; a file that is no document runs nothing by itself. */
  readonly policy: string;
  /** Cross-Origin-Opener-Policy: what windows of other origins have of it, who opened it and whom it opens. */
  readonly openers: Openers;
}

/** `same-origin`: nothing. With popups: a window that it opens itself may speak to it (IN-3). */
export type Openers = 'same-origin' | 'same-origin-allow-popups';

/** By path. A page is listed by its path without a file name ending. */
export type Pages = ReadonlyMap<string, PageFile>;

const INERT = "default-src 'none'; frame-ancestors 'none'";

export function pageFile(
  contentType: string,
  body: Uint8Array | string,
  policy = INERT,
  openers: Openers = 'same-origin',
): PageFile {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  const etag = `"${createHash('sha256').update(policy).update(openers).update(bytes).digest('base64url')}"`;
  return { contentType, body: bytes, etag, policy, openers };
}

/** Answers GET and HEAD; 304 to who holds the same bytes. */
export function sendPage(file: PageFile, request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Content-Security-Policy', file.policy);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cross-Origin-Opener-Policy', file.openers);
  // No page from elsewhere takes it as an image, a script or a style, and so learns that a node is here.
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  // Kept, and asked for anew each time: an updated node has updated pages.
  response.setHeader('Cache-Control', 'no-cache');
  response.setHeader('ETag', file.etag);
  if (namesTag(request.headers['if-none-match'], file.etag)) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, { 'Content-Type': file.contentType, 'Content-Length': file.body.byteLength });
  response.end(file.body);
}

const namesTag = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some((given) => ['*', etag, `W/${etag}`].includes(given.trim()));

/** The paths of documents, for the list of what a node answers. */
export const documentPaths = (pages: Pages): readonly string[] =>
  [...pages].filter(([, { contentType }]) => contentType.startsWith('text/html')).map(([path]) => path);
