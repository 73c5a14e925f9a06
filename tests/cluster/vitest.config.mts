import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: '.',
  test: {
    include: ['tests/cluster/*.test.ts'],
    // Each control plane takes half a gigabyte.
    fileParallelism: false,
    testTimeout: 300_000,
    // The first start builds the control plane.
    hookTimeout: 45 * 60_000,
    teardownTimeout: 30_000,
  },
})
