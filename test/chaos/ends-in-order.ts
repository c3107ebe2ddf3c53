import type { LocalProcess } from '../../deploy/local/local-process.ts'

/** Waits for a process that was told to stop. Throws unless it ends in time and with exit code 0. */
export async function endsInOrder(told: LocalProcess, timeoutMs: number): Promise<void> {
  const { code } = await told.waitExit(timeoutMs)
  if (code !== 0) throw new Error(`${told.describeEnd()}: it should have exited with 0`)
}
