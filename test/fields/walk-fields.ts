import type { DescField, DescMessage } from '@bufbuild/protobuf'

/** Every field of a message and of Ferry's messages in it, as `retry.status_rules.interval`; a message without fields is one itself. */
export function walkFields(message: DescMessage, path: readonly string[] = []): string[] {
  return message.fields.flatMap((field) => {
    const here = [...path, field.name]
    const inner = messageOf(field)
    return inner === undefined ? [here.join('.')] : walkFields(inner, here)
  })
}

/** Undefined for values, for messages of others (durations, timestamps), and for messages without fields. */
function messageOf(field: DescField): DescMessage | undefined {
  const message = 'message' in field ? field.message : undefined
  return message?.typeName.startsWith('ferry.') && message.fields.length > 0 ? message : undefined
}
