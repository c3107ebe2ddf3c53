import type { FetchedReference, FetchedSchema } from '../../convert/decode/registry/read-registered.ts'
import { type AskRegistry, NotFoundError, RegistryError } from './ask-registry.ts'

/** Schemas that one schema may need, its references' own included. */
const REFERENCES_MAX = 200
/** So a registry answers that does not give protobuf in its serialized form: then the text is taken. */
const NOT_SERIALIZED: readonly number[] = [400, 422, 501]

/**
 * Fetches a schema by its id, and all that it refers to. Rejects with NotFoundError when the registry does not have it or one of
 * those, with RegistryError when it does not say.
 */
export async function fetchSchema(ask: AskRegistry, id: number): Promise<FetchedSchema> {
  const fetched = new Map<string, FetchedSchema>()
  const addReferences = async (schema: Mutable, of: string, answer: Readonly<Record<string, unknown>>): Promise<void> => {
    for (const { name, subject, version } of referencesOf(answer, of)) {
      const key = `${subject}\n${version}`
      let reference = fetched.get(key)
      if (reference === undefined) {
        if (fetched.size === REFERENCES_MAX) throw new NotFoundError(`schema ${id} needs more than ${REFERENCES_MAX} others`)
        const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}?deleted=true`
        const what = `${subject} version ${version}`
        const found = await askNamed(ask, path, `${what}, which schema ${id} needs,`)
        const added: Mutable = { ...(await schemaOf(ask, path, found, what)), references: [] }
        reference = added
        // Before its own references: they may come back to it.
        fetched.set(key, added)
        await addReferences(added, what, found)
      }
      schema.references.push({ name, schema: reference })
    }
  }
  const path = `/schemas/ids/${id}`
  const answer = await askNamed(ask, path, `schema ${id}`)
  const root: Mutable = { ...(await schemaOf(ask, path, answer, `schema ${id}`)), references: [] }
  await addReferences(root, `schema ${id}`, answer)
  return root
}

interface Mutable extends FetchedSchema {
  readonly references: FetchedReference[]
}

async function askNamed(ask: AskRegistry, path: string, what: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await ask(path)
  } catch (error) {
    if (error instanceof NotFoundError) throw new NotFoundError(`${what} is not in the registry: ${error.message}`)
    throw error
  }
}

/** Type and text; protobuf is asked for once more, in its serialized form. */
async function schemaOf(
  ask: AskRegistry,
  path: string,
  answer: Readonly<Record<string, unknown>>,
  what: string,
): Promise<Omit<FetchedSchema, 'references'>> {
  const { schema, schemaType = 'AVRO' } = answer
  if (typeof schema !== 'string' || typeof schemaType !== 'string')
    throw new RegistryError(`the registry answered without the text of ${what}`)
  if (schemaType !== 'PROTOBUF') return { schemaType, schema }
  try {
    const serialized = (await ask(`${path}${path.includes('?') ? '&' : '?'}format=serialized`))['schema']
    return { schemaType, schema: typeof serialized === 'string' ? serialized : schema }
  } catch (error) {
    if (error instanceof RegistryError && NOT_SERIALIZED.includes(error.status)) return { schemaType, schema }
    throw error
  }
}

function referencesOf(
  { references }: Readonly<Record<string, unknown>>,
  what: string,
): readonly { readonly name: string; readonly subject: string; readonly version: number }[] {
  if (references === undefined || references === null) return []
  if (!Array.isArray(references)) throw new RegistryError(`the registry answered with references of ${what} that are no list`)
  return references.map((each: Readonly<Record<string, unknown>> | null) => {
    const { name, subject, version } = each ?? {}
    if (typeof name === 'string' && typeof subject === 'string' && typeof version === 'number') return { name, subject, version }
    throw new RegistryError(`the registry answered with a reference of ${what} that has no name, subject or version`)
  })
}
