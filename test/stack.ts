import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { type Stack, type StackOptions, startStack } from '../deploy/local/stack.ts'
import type { StackAddresses } from './global-setup.ts'

/** The one stack of this run. Others use it at the same time: take topics, databases and names of your own, and break nothing. */
export async function sharedStack(): Promise<StackAddresses> {
  const answer = await fetch(inject('sharedStackUrl'))
  const text = await answer.text()
  if (!answer.ok) throw new Error(`the shared stack cannot start: ${text}`)
  return JSON.parse(text)
}

/** Parts for this test alone, to break. `await using` stops them and removes their data. `prepare`: of the directory that takes it. */
export async function privateStack(
  options: Omit<StackOptions, 'dataDir'>,
  prepare: (dataDir: string) => Disposable | undefined = () => undefined,
): Promise<Stack & AsyncDisposable> {
  const dataDir = mkdtempSync(join(tmpdir(), `ferry-test-${process.pid}-`))
  const prepared = prepare(dataDir)
  const remove = (): void => {
    prepared?.[Symbol.dispose]()
    rmSync(dataDir, { recursive: true, force: true })
  }
  const stack = await startStack({ ...options, dataDir }).catch((error: unknown) => {
    remove()
    throw error
  })
  const dispose = async (): Promise<void> => {
    await stack.stop()
    remove()
  }
  return Object.assign(stack, { [Symbol.asyncDispose]: dispose })
}
