import { identityOf, type Received, type RequestIdentity, readIdentity } from './received.ts'

type Item = RequestIdentity & { readonly body: string }

/** The records of a request: one, or those of a batch, whose items must be envelopes. Throws on what is not Ferry's. */
export function readRecords(headers: Received['headers'], body: string): Item[] {
  const count = headers['ferry-batch']
  if (count === undefined) return [{ ...readIdentity(headers), body }]
  const lines = headers['content-type'] === 'application/x-ndjson' ? body.trimEnd().split('\n') : cutArray(body)
  if (lines.length !== Number(count)) throw new Error(`a batch of ${lines.length} records says that it has ${count}`)
  return lines.map(readEnvelope)
}

/** An item with the bytes of its value as they came. */
function readEnvelope(text: string): Item {
  const { id, record, attempt } = JSON.parse(text) as { id: string; record: string; attempt: string }
  if (!id.endsWith(`/${record}`)) throw new Error(`an item with the id ${id} is called ${record}`)
  const start = text.indexOf('"value":') + '"value":'.length
  return { ...identityOf(record, attempt), body: text.slice(start, text.lastIndexOf('}')) }
}

/** The elements of an array of objects, as they came. */
function cutArray(text: string): string[] {
  JSON.parse(text)
  const items: string[] = []
  let [depth, start, isText] = [0, 0, false]
  for (let at = 0; at < text.length; at++) {
    const each = text[at]
    if (isText && each === '\\') at++
    else if (each === '"') isText = !isText
    else if (!isText && each === '{' && depth++ === 0) start = at
    else if (!isText && each === '}' && --depth === 0) items.push(text.slice(start, at + 1))
  }
  return items
}

/** Of the records that an answer names as failed: place in the batch to the status that it gives, or that of the answer. */
export function readFailures(status: number, body: string | undefined): ReadonlyMap<number, number> {
  if (body === undefined || status < 200 || status > 299) return new Map()
  const { failures = [] } = JSON.parse(body) as { failures?: { index: number; status?: number }[] }
  return new Map(failures.map((each) => [each.index, each.status ?? status]))
}
