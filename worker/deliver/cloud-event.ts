import type { RecordSource, SourceRecord } from '../../convert/source-record.ts'
import { headerText, type Template, textOf } from '../../convert/template.ts'

// The attributes of a record's event, in CloudEvents' own names: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
//
//   the record                                  | attributes
//   has the four that an event must have, and   | all its ce_ headers, and partitionkey from its key unless it is one of them
//   they are to be passed through               |
//   any other                                   | as the use case says

export type Attributes = [name: string, value: string][]

export interface EventNames {
  readonly source: Template
  readonly type: Template
  readonly subject: Template | undefined
  /** Used where a record gives none. */
  readonly defaultSource: string
  readonly passesThrough: boolean
}

const REQUIRED = ['specversion', 'id', 'source', 'type'] as const
const KAFKA_PREFIX = 'ce_'
/** Passed through at most. */
const ATTRIBUTES_MAX = 32
/** Lower-case letters and digits, and better not more than 20. */
const attributeName = /^[a-z0-9]{1,20}$/
/** RFC 3339 has years of four digits. */
const TIME_MS_MAX = Date.UTC(10_000, 0)

export function attributesOf(record: SourceRecord, source: RecordSource, names: EventNames): Attributes {
  const own = names.passesThrough ? ownAttributes(record.headers) : undefined
  const attributes = own ?? newAttributes(record, source, names)
  if (own?.some(([name]) => name === 'partitionkey') !== true) addText(attributes, 'partitionkey', textOf(record.key))
  return attributes
}

function newAttributes(record: SourceRecord, source: RecordSource, names: EventNames): Attributes {
  const { topic, partition } = source
  const attributes: Attributes = [
    ['specversion', '1.0'],
    ['id', `${topic}/${partition}/${record.offset}`],
    ['source', names.source(record, source) || names.defaultSource],
    ['type', names.type(record, source) || topic],
  ]
  addText(attributes, 'subject', names.subject?.(record, source))
  const ms = Number(record.timestamp)
  if (ms >= 0 && ms < TIME_MS_MAX) attributes.push(['time', new Date(ms).toISOString()])
  return attributes
}

function addText(attributes: Attributes, name: string, text: string | undefined): void {
  if (text !== undefined && text !== '') attributes.push([name, text])
}

/** Undefined when the record is no event. Its content type speaks of its value, and not of the body that this has become. */
function ownAttributes(headers: SourceRecord['headers']): Attributes | undefined {
  if (headerText(headers, 'ce_specversion') !== '1.0') return undefined
  const attributes: Attributes = REQUIRED.map((name) => [name, headerText(headers, KAFKA_PREFIX + name) ?? ''])
  if (attributes.some(([, value]) => value === '')) return undefined
  for (const header of Object.keys(headers)) {
    const name = header.slice(KAFKA_PREFIX.length)
    const isTaken = (REQUIRED as readonly string[]).includes(name) || name === 'data' || name === 'datacontenttype'
    if (!header.startsWith(KAFKA_PREFIX) || isTaken || !attributeName.test(name) || attributes.length >= ATTRIBUTES_MAX) continue
    addText(attributes, name, headerText(headers, header))
  }
  return attributes
}
