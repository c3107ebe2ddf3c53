/** What vitest's JSON reporter writes, as far as it is counted here. */
export interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly { readonly status: string }[] }[]
}

export interface Counts {
  readonly passed: number
  readonly failed: number
}

/**
 * Counts a run of vitest. A file that fails outside its tests (it cannot be loaded, a hook throws) counts as one failed test, and so
 * does a run that went wrong in a way no test shows: no report, no tests, an exit code, an error that nobody caught.
 */
export function countResults(report: VitestReport | undefined, exitCode: number): Counts {
  const passed = report?.numPassedTests ?? 0
  const failedFiles = (report?.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = (report?.numFailedTests ?? 0) + failedFiles.length
  const isSilentFailure = failed === 0 && (exitCode !== 0 || passed === 0)
  return { passed, failed: isSilentFailure ? 1 : failed }
}
