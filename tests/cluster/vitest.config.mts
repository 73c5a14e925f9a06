import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: '.',
  test: {
    include: ['tests/cluster/*.test.ts'],
    globalSetup: 'tests/cluster/setup.ts',
    // Each control plane takes half a gigabyte.
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 30_000,
  },
})
