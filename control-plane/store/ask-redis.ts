import { StoreError } from './store-error.ts'

/** Runs a command; a failure is STATE_UNAVAILABLE. */
export async function askRedis<T>(command: () => Promise<T>): Promise<T> {
  try {
    return await command()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new StoreError('STATE_UNAVAILABLE', `Redis does not answer (${why}); a change may have happened: call again`, error)
  }
}
