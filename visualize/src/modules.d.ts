/** What Vite adds to the modules that the compiler knows: style sheets, and the layouts that vite.config.ts makes. */
declare module '*.css';
declare module 'virtual:chart-layouts' {
  const layouts: Readonly<Record<string, import('../../src/observe/charts/layout.ts').ChartLayout>>;
  export default layouts;
}
