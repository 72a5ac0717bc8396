/** Builds the page: `vite build visualize` fills `visualize/dist`, which nodes serve. No request leaves its origin. */
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { nodeChartLayouts } from '../src/cli/chart-layouts.ts';

const LAYOUTS = 'virtual:chart-layouts';

/** The layouts of the node's charts, placed now: ELK is no part of the page. */
const chartLayouts: Plugin = {
  name: 'chart-layouts',
  resolveId: (id) => (id === LAYOUTS ? `\0${LAYOUTS}` : undefined),
  async load(id) {
    if (id !== `\0${LAYOUTS}`) return undefined;
    return `export default JSON.parse(${JSON.stringify(JSON.stringify(await nodeChartLayouts()))})`;
  },
};

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react(), chartLayouts],
  build: {
    target: 'es2024',
    // What would be inlined is a `data:` address, which the content policy need not allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // React, React Flow and this page in one file, of which a browser on the same machine notices nothing.
    chunkSizeWarningLimit: 1_000,
    // Whose code is in it, and under which terms.
    license: { fileName: 'licenses.md' },
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  worker: { format: 'es' },
});
