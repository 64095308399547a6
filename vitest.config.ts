import { defineConfig } from 'vitest/config'

const generated = ['**/node_modules/**', '**/dist/**', 'target/**', '.berth/**']
const machine = {
  pool: 'forks',
  globalSetup: 'packages/testing/src/global-setup.ts',
  testTimeout: 60_000,
  hookTimeout: 120_000,
  teardownTimeout: 20_000,
  // Loading modules anew for each file took a quarter of the time; no test changes what one holds.
  isolate: false,
} as const
/** One whole system at a time in a network namespace: some flush its rules, and the VMs of two fight for two cores. */
const system = { ...machine, fileParallelism: false, setupFiles: 'test/support/logs-on-failure.ts' } as const

export default defineConfig({
  test: {
    // One more than the cores that the bounds are for: most wait as much as they work.
    maxWorkers: 3,
    env: { BERTH_HOME: import.meta.dirname },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'packages/**/src/**/*.test.ts',
            'apps/*/src/**/*.test.ts',
            'scripts/**/*.test.{ts,mjs}',
            'test/{bench,soak,mutants,support}/*.test.ts',
          ],
          exclude: generated,
          testTimeout: 10_000,
        },
      },
      {
        extends: true,
        test: {
          ...machine,
          name: 'integration',
          include: ['apps/*/test/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'test/architecture/**/*.test.ts'],
          exclude: [...generated, '**/*.vm.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          ...system,
          name: 'system',
          include: ['test/{e2e,faults}/**/*.test.ts'],
          exclude: [...generated, '**/*.vm.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          ...system,
          name: 'vm',
          include: ['apps/*/test/**/*.vm.test.ts', 'test/**/*.vm.test.ts'],
          exclude: generated,
          testTimeout: 180_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
})
