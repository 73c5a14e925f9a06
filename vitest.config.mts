import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // They start a control plane: npm run test:cluster.
    exclude: ['tests/cluster/**'],
    setupFiles: ['tests/seed.ts'],
    pool: 'threads',
    // Tests that start processes are slow where two cores do everything.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
