import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/longest-first.ts'

/** One machine runs the whole stack beside the tests: so many files at a time, each in a process of its own. End-to-end tests mostly wait. */
const unitWorkers = 2
const endToEndWorkers = 3

export default defineConfig({
  test: {
    globalSetup: ['test/global-setup.ts'],
    pool: 'forks',
    teardownTimeout: 30_000,
    sequence: { sequencer: LongestFirst },
    // kafkajs asks for timers in the past; Node tells of it in each process.
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    projects: [
      {
        test: {
          name: 'unit',
          maxWorkers: unitWorkers,
          include: ['**/*.test.ts'],
          exclude: ['**/node_modules/**', '.local/**', 'test/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'end-to-end',
          maxWorkers: endToEndWorkers,
          include: ['test/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
