/** Vite takes style sheets into the page; the compiler only has to know that they may be imported. */
declare module '*.css';
