import type { Violation } from './query-error.ts'

/** What the contract's own rules cannot say of `retry_batch`: it has to be one of the use case that is asked for. */
export function checkBatchFilter(filter: { readonly retryBatch: string }, useCase: string, path: string): Violation[] {
  const { retryBatch } = filter
  const prefix = `${useCase}/retryBatches/`
  if (retryBatch === '' || (retryBatch.startsWith(prefix) && /^[a-z0-9-]{1,63}$/.test(retryBatch.slice(prefix.length)))) return []
  const field = `${path}.retry_batch`
  const description = `${field} must be the name of a retry batch of this use case, as ${prefix}{id}; given ${JSON.stringify(retryBatch)}`
  return [{ field, description, reason: 'RETRY_BATCH_NAME' }]
}

/** The id, as the log has it. */
export const batchIdIn = (name: string): string => name.slice(name.lastIndexOf('/') + 1)
