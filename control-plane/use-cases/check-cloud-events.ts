import { compileTemplate } from '../../convert/template.ts'
import { BatchFormat, BatchItem, type Batching } from '../../proto/gen/ferry/v1/batching_pb.ts'
import { type CloudEvents, CloudEventsMode } from '../../proto/gen/ferry/v1/cloud_events_pb.ts'
import { quote, type Violation } from './violation.ts'

/** headerNames: of all that the use case sets itself, by their fields. */
export function checkCloudEvents(
  path: string,
  { type, source, subject, mode }: CloudEvents,
  headerNames: readonly { readonly field: string; readonly name: string }[],
): Violation[] {
  const isStructured = mode === CloudEventsMode.STRUCTURED
  const isTaken = (name: string): boolean => /^ce-/i.test(name) || (isStructured && name.toLowerCase() === 'content-type')
  return [
    ...checkTemplate(`${path}.type`, type, /\p{Cc}/u, 'no control characters'),
    ...checkTemplate(`${path}.source`, source, /[^\w\-.~:/?#[\]@!$&'()*+,;=%{}]/u, 'the characters of a URI only'),
    ...checkTemplate(`${path}.subject`, subject, /\p{Cc}/u, 'no control characters'),
    ...headerNames
      .filter(({ name }) => isTaken(name))
      .map(({ field }) => ({
        ...{ field, reason: 'HEADER_RESERVED' as const },
        description: `${field} is set by cloud_events: leave it out`,
      })),
  ]
}

/** Several events in one request are one JSON array, of events that are objects of their own. */
export function checkBatchOfEvents(path: string, { mode }: CloudEvents, batchPath: string, batch: Batching): Violation[] {
  const wrong = (field: string, right: string, why: string): Violation => ({
    field,
    description: `${field} must be ${right} beside cloud_events and batch: ${why}`,
    reason: 'BATCH_OF_EVENTS',
  })
  const isArray = batch.format !== BatchFormat.NDJSON
  return [
    ...(mode === CloudEventsMode.STRUCTURED
      ? []
      : [wrong(`${path}.mode`, 'CLOUD_EVENTS_MODE_STRUCTURED', 'attributes in headers are those of one event')]),
    ...(isArray
      ? []
      : [wrong(`${batchPath}.format`, 'BATCH_FORMAT_JSON_ARRAY', 'application/cloudevents-batch+json is an array')]),
    ...(batch.item === BatchItem.ENVELOPE
      ? [wrong(`${batchPath}.item`, 'BATCH_ITEM_VALUE', 'an event says itself which record it is')]
      : []),
  ]
}

function checkTemplate(field: string, text: string, unfit: RegExp, right: string): Violation[] {
  const reason = 'CLOUD_EVENTS_TEMPLATE'
  if (unfit.test(text.replace(/\{[^{}]*\}/g, '')))
    return [{ field, description: `${field} must have ${right}; given ${quote(text)}`, reason }]
  try {
    compileTemplate(text)
    return []
  } catch (error) {
    return [{ field, description: `${field} must be a text or a template; ${quote(text)} ${(error as Error).message}`, reason }]
  }
}
