/** Builds the page: `vite build visualize` fills `visualize/dist`, which nodes serve. No request leaves its origin. */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react()],
  build: {
    target: 'es2024',
    // Fonts and pictures in the style sheet would need `data:` in the content policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2_000,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
});
