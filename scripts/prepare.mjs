/**
 * npm runs this at the end of `npm ci`: it loads the node once, so that its first start finds it compiled.
 * JavaScript, since an older Node must install the packages all the same (src/cli/althing.mjs tells the user).
 */
if (Number(process.versions.node.split('.')[0]) >= 24) {
  const { openCompileCache } = await import('../src/cli/compile-cache.ts');
  openCompileCache();
  await Promise.all([
    import('../src/cli/program.ts'),
    import('../src/cli/commands/start.ts'),
    import('../src/cli/local-network/network.ts'),
    import('../src/node/start.ts'),
  ]);
}
