/**
 * Imports go one way: functions → lib/recordings|capture → lib/mp4|ffmpeg|storage|services → lib/platform.
 * A rule that fails here is a design question, not a lint nit.
 */
const only = (name, from, to) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: to },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('lib-knows-no-functions', '^lib/', '^(functions|localstack|scripts|test)/'),
    only('functions-know-no-tests', '^functions/', '^(localstack|scripts|test)/'),
    only('platform-is-the-bottom', '^lib/platform/', '^lib/(?!platform/)'),
    only('mp4-is-pure', '^lib/mp4/', '^(lib/(?!mp4/)|node_modules/)'),
    {
      name: 'mp4-does-no-io',
      severity: 'error',
      from: { path: '^lib/mp4/' },
      // zlib for its CRC-32 only.
      to: { dependencyTypes: ['core'], pathNot: '^zlib$' },
    },
    only('storage-below-recordings', '^lib/storage/', '^lib/(recordings|capture|mp4|ffmpeg|services)/'),
    only('ffmpeg-below-recordings', '^lib/ffmpeg/', '^lib/(recordings|capture|storage|services)/'),
    only('services-below-recordings', '^lib/services/', '^lib/(recordings|capture|mp4|ffmpeg|storage)/'),
    only('upload-beside-recordings', '^lib/upload/', '^lib/(recordings|mp4|ffmpeg|services)/'),
    only('nothing-needs-the-uploader', '^(functions|lib/(?!upload/))', '^lib/upload/'),
    only('capture-below-recordings', '^lib/capture/', '^lib/recordings/'),
    {
      name: 'not-to-dev-dep',
      severity: 'error',
      from: { path: '^(functions|lib)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
