/**
 * The arrows between layers: an import points down the list only (ARCHITECTURE.md).
 * `scripts/arrows.ts` runs this and fails too when no module was read.
 */
const layers = [
  ['base'],
  ['crypto'],
  ['protocol'],
  ['machines'],
  ['actors'],
  ['transport', 'time', 'storage', 'application', 'rpc', 'observe', 'record'],
  ['node'],
  ['simulation', 'replay'],
  ['cli'],
];

const above = (index) => layers.slice(index + 1).flat();
const beside = (index, name) => layers[index].filter((other) => other !== name);

const arrows = layers.flatMap((names, index) =>
  names.map((name) => ({
    name: `${name}-imports-down-only`,
    severity: 'error',
    from: { path: `^src/${name}/` },
    to: {
      path: `^src/(${[...above(index), ...(index === 5 ? [] : beside(index, name))].join('|') || '-'})/`,
    },
  })),
);

export default {
  forbidden: [
    ...arrows,
    {
      name: 'pure-layers-touch-no-world',
      comment: 'base, protocol and machines read no clock, disk, socket or process',
      severity: 'error',
      from: { path: '^src/(base|protocol|machines)/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?buffer$' },
    },
    {
      name: 'runtime-knows-no-consensus',
      comment: 'althing/runtime is a library of its own',
      severity: 'error',
      from: { path: '^src/(actors/runtime|protocol/supervision|machines/(vocabulary|supervisor))/' },
      to: {
        path: '^src/',
        pathNot: '^src/(base|actors/runtime|protocol/supervision|machines/(vocabulary|supervisor))/',
      },
    },
    {
      name: 'client-stands-alone',
      comment: 'althing/client runs in a browser: nothing of a node, nothing of Node',
      severity: 'error',
      from: { path: '^src/client/', pathNot: '^src/client/light/' },
      to: { path: ['^src/(?!client/)', '^(node:)?[a-z_]+$', 'node_modules/(?!@noble/hashes/)'] },
    },
    {
      name: 'light-client-has-rules-alone',
      comment: 'the light client verifies by the rules that consensus has, and by nothing else of a node',
      severity: 'error',
      from: { path: '^src/client/light/' },
      to: { path: ['^src/(?!client/|protocol/(chain|consensus|light)/|crypto/bls/)', '^(node:)?[a-z_]+$'] },
    },
    {
      name: 'xstate-internals-in-one-room',
      severity: 'error',
      from: { path: '^src/(base|crypto|protocol|transport|storage|application|rpc|observe|node|cli)/' },
      to: { path: 'node_modules/xstate' },
    },
    {
      name: 'examples-use-the-public-api',
      severity: 'error',
      from: { path: '^examples/' },
      to: {
        path: '^src/',
        pathNot: '^src/(actors/runtime|application|client|client/light|node)/index\\.ts$',
      },
    },
    {
      name: 'page-reads-the-contract-alone',
      comment:
        "the page knows the feed's contract, the pictures of charts, what Stately's inspector is told, and of the rules what a light client needs to verify",
      severity: 'error',
      from: { path: '^visualize/src/' },
      to: {
        path: ['^src/', '^visualize/dev/', '^(node:)?[a-z_]+$'],
        pathNot:
          '^src/(observe/(feed/feed\\.ts|charts/|stately/)|client/light/|protocol/(chain|consensus|light)/|crypto/)',
      },
    },
    {
      name: 'nothing-of-a-node-needs-its-page',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^visualize/' },
    },
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans-unresolved',
      severity: 'error',
      from: {},
      // What visualize/vite.config.ts makes is no file.
      to: { couldNotResolve: true, pathNot: '^virtual:' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['althing-source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'],
    },
    exclude: { path: '^(coverage|\\.althing)' },
  },
};
