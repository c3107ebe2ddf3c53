import { Client } from 'undici'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import type { SchemaRegistryConfig } from '../../runtime/schema-registries.ts'
import { classifyError } from '../deliver/classify.ts'
import { guardedConnector } from '../deliver/egress-guard.ts'

const ANSWER_BYTES_MAX = 8 << 20
/** Subject, version, schema not found: what only a registry says. Any other 404 may come from something in front of it. */
const NOT_FOUND_CODES: readonly unknown[] = [40401, 40402, 40403]

/** The registry has answered: there is no such thing. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError'
}

/** The registry gives no answer that says anything. The message says why, and has nothing of the credentials. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  /** 0 when there was no answer. */
  readonly status: number

  constructor(message: string, status = 0) {
    super(message)
    this.status = status
  }
}

/** Resolves to the object that the registry answers to a GET of a path with query. Rejects with NotFoundError or RegistryError. */
export type AskRegistry = (path: string) => Promise<Readonly<Record<string, unknown>>>

/** A function that asks a registry, by the first of its URLs that answers. It follows no redirect and connects only to where the rules allow. */
export function registryAsker(config: SchemaRegistryConfig, egress: EgressRules): AskRegistry {
  const { urls, timeoutMs, ca, authorization } = config
  const connect = guardedConnector(egress, { timeout: timeoutMs, ...(ca !== undefined && { ca }) })
  const headers = { accept: 'application/vnd.schemaregistry.v1+json, application/json', ...(authorization && { authorization }) }
  const bases = urls.map((each) => new URL(each))
  let first = 0
  return async (path) => {
    let failed: RegistryError | undefined
    for (let tried = 0; tried < bases.length; tried++) {
      const at = (first + tried) % bases.length
      try {
        const answer = await ask(bases[at]!, path, headers, connect, timeoutMs)
        first = at
        return answer
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error
        failed = error
      }
    }
    throw failed!
  }
}

async function ask(
  { origin, pathname }: URL,
  path: string,
  headers: Record<string, string>,
  connect: ReturnType<typeof guardedConnector>,
  timeoutMs: number,
): Promise<Readonly<Record<string, unknown>>> {
  const client = new Client(origin, { connect, maxResponseSize: ANSWER_BYTES_MAX })
  try {
    const request = { method: 'GET', path: pathname.replace(/\/$/, '') + path, headers } as const
    const { statusCode, body } = await client.request({ ...request, signal: AbortSignal.timeout(timeoutMs) })
    return readAnswer(origin, statusCode, await body.text())
  } catch (error) {
    if (error instanceof RegistryError || error instanceof NotFoundError) throw error
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    const why = isLate ? `did not answer within ${timeoutMs} ms` : `cannot be asked: ${classifyError(error).text}`
    throw new RegistryError(`${origin} ${why}`)
  } finally {
    void client.destroy().catch(() => {})
  }
}

function readAnswer(origin: string, status: number, text: string): Readonly<Record<string, unknown>> {
  const answer = readObject(text)
  const code = answer?.['error_code']
  if (status === 404 && NOT_FOUND_CODES.includes(code)) throw new NotFoundError(`${origin} answered ${status} (${String(code)})`)
  if (status !== 200)
    throw new RegistryError(`${origin} answered ${status}${typeof code === 'number' ? ` (${code})` : ''}`, status)
  if (answer === undefined) throw new RegistryError(`${origin} answered with what is no JSON object`, status)
  return answer
}

function readObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
