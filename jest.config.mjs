/**
 * Jest runs the TypeScript sources as ES modules (NODE_OPTIONS=--experimental-vm-modules, set by
 * scripts/run.mjs). One project a kind of test: unit and property touch no network,
 * integration has the embedded back ends, e2e the running service, stores real S3 servers.
 */
const base = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  // Data of a running service, and bundles: neither is ours to look for modules in.
  modulePathIgnorePatterns: ['<rootDir>/\\.(data|cache|esbuild|serverless)/', '<rootDir>/layers/ffmpeg/build/'],
};

const project = (kind) => ({ ...base, displayName: kind, testMatch: [`<rootDir>/test/${kind}/**/*.test.ts`] });

export default {
  projects: ['unit', 'property', 'integration', 'e2e', 'stores'].map(project),
  testTimeout: 120_000,
};
