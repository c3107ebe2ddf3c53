import type { RecordSource, SourceRecord } from '../../convert/source-record.ts'
import { compileTemplate, type Template } from '../../convert/template.ts'
import { type CloudEvents, CloudEventsMode } from '../../proto/gen/ferry/v1/cloud_events_pb.ts'
import { type Attributes, attributesOf, type EventNames } from './cloud-event.ts'
import type { FinishRequest } from './finish-request.ts'
import { PlanError } from './plan-error.ts'
import { choice, part } from './plan-values.ts'

const isStructured = {
  [CloudEventsMode.UNSPECIFIED]: false,
  [CloudEventsMode.BINARY]: false,
  [CloudEventsMode.STRUCTURED]: true,
} as const

/** The headers of a use case's events that are the same for all. isBatched: a request has several. */
export function cloudEventsHeaders(field: string, events: CloudEvents | undefined, isBatched: boolean): Record<string, string> {
  if (events === undefined || !choice(`${field}.mode`, isStructured, events.mode)) return {}
  return { 'content-type': `application/cloudevents${isBatched ? '-batch' : ''}+json; charset=utf-8` }
}

/** Makes a record's body an event of its own. */
export type WrapItem = (lane: RecordSource, record: SourceRecord, body: Buffer) => Buffer

/** Of a use case with batches: the JSON batch format has structured events only. */
export function compileBatchedEvents(
  field: string,
  events: CloudEvents | undefined,
  useCase: string,
  isBase64: boolean,
): WrapItem | undefined {
  if (events === undefined) return undefined
  if (!choice(`${field}.mode`, isStructured, events.mode))
    throw new PlanError('UNSUPPORTED', `${field}.mode`, 'is BINARY, which batches cannot be')
  const names = namesOf(field, events, useCase)
  return (lane, record, body) => structured(attributesOf(record, lane, names), body, isBase64)
}

/** Makes requests CloudEvents. useCase: its full name. isBase64: bodies are JSON strings in base64, of values that are anything. */
export function compileCloudEvents(
  field: string,
  events: CloudEvents | undefined,
  useCase: string,
  isBase64: boolean,
): FinishRequest | undefined {
  if (events === undefined) return undefined
  const names = namesOf(field, events, useCase)
  if (!choice(`${field}.mode`, isStructured, events.mode))
    return (headers, lane, record, body) => {
      for (const [name, value] of attributesOf(record, lane, names)) headers.append(`ce-${name}`, headerValue(value))
      return body
    }
  return (_headers, lane, record, body) => structured(attributesOf(record, lane, names), body, isBase64)
}

function namesOf(field: string, events: CloudEvents, useCase: string): EventNames {
  const { type, source, subject, passThrough } = part(field, events)
  return {
    type: template(`${field}.type`, type),
    source: template(`${field}.source`, source, encodeURIComponent),
    subject: subject === '' ? undefined : template(`${field}.subject`, subject),
    defaultSource: `/${useCase}`,
    passesThrough: passThrough,
  }
}

function template(field: string, text: string, encode?: (text: string) => string): Template {
  try {
    return compileTemplate(text, encode)
  } catch (error) {
    throw new PlanError('INVALID', field, (error as Error).message)
  }
}

/** What a header cannot hold as it is: HTTP protocol binding, 3.1.3.2. */
const unfit = /[^\x21\x23\x24\x26-\x7e]/gu

const headerValue = (text: string): string => text.replace(unfit, percentEncoded)

/** Of a character that is no whole one, the replacement character. */
const percentEncoded = (character: string): string =>
  [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')

const END = Buffer.from('}')
const NULL_LENGTH = 4

/** The body stands in the event as it is: it is JSON already. */
function structured(attributes: Attributes, body: Buffer, isBase64: boolean): Buffer {
  // The body of a tombstone is null, whatever the format.
  const isBinary = isBase64 && body.length !== NULL_LENGTH
  attributes.push(['datacontenttype', isBinary ? 'application/octet-stream' : 'application/json'])
  const members = attributes.map(([name, value]) => `"${name}":${JSON.stringify(value)}`).join(',')
  return Buffer.concat([Buffer.from(`{${members},"${isBinary ? 'data_base64' : 'data'}":`), body, END])
}
