import type { DescEnum, Message } from '@bufbuild/protobuf'
import { isReflectMessage } from '@bufbuild/protobuf/reflect'
import type { Duration } from '@bufbuild/protobuf/wkt'
import { hideSecrets } from './hide-secrets.ts'

const TEXT_LENGTH_MAX = 60

/** A value of a request, short, for the sentence that says what is wrong with it. */
export function givenWords(value: unknown, enumeration: DescEnum | undefined): string {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'string') return shortText(value)
  if (value instanceof Uint8Array) return `${numberText(value.length)} bytes`
  if (typeof value === 'number' && enumeration) return enumeration.value[value]?.name ?? String(value)
  if (typeof value === 'number' || typeof value === 'bigint') return numberText(value)
  if (isReflectMessage(value)) return isDuration(value.message) ? durationText(value.message) : 'a message'
  if (typeof value === 'object' && 'size' in value && typeof value.size === 'number') return numberText(value.size)
  return String(value)
}

function shortText(text: string): string {
  // Far more than is shown, so that a secret is seen as one before the text is cut, and little enough for any input.
  const shown = hideSecrets(text.slice(0, 1000))
  if (shown.length <= TEXT_LENGTH_MAX && text.length <= 1000) return JSON.stringify(shown)
  return `${JSON.stringify(`${shown.slice(0, TEXT_LENGTH_MAX)}...`)} (${numberText(text.length)} characters)`
}

/** 4096 as 4,096. */
export function numberText(value: number | bigint): string {
  if (typeof value === 'number' && !Number.isInteger(value)) return String(value)
  return value.toLocaleString('en-US')
}

const units: readonly [seconds: number, name: string][] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
]

/** A duration as ProtoJSON writes it, and as people say it when that is longer than two minutes: `604800s (7 d)`. */
export function durationText(duration: Duration): string {
  const { seconds, nanos } = duration
  const negative = seconds < 0n || nanos < 0
  const fraction = nanos === 0 ? '' : `.${String(Math.abs(nanos)).padStart(9, '0').replace(/0+$/, '')}`
  const text = `${negative ? '-' : ''}${seconds < 0n ? -seconds : seconds}${fraction}s`
  const unit = units.find(([size]) => nanos === 0 && seconds >= 120n && seconds % BigInt(size) === 0n)
  return unit ? `${text} (${numberText(seconds / BigInt(unit[0]))} ${unit[1]})` : text
}

function isDuration(message: Message): message is Duration {
  return message.$typeName === 'google.protobuf.Duration'
}
