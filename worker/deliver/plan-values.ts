import type { Message } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import { PlanError } from './plan-error.ts'

// One value of a use case at a time: checked, or its default. `field` is its proto path, for the error.

/** A part of the use case that must be there. Fields that this worker does not know are refused, not ignored. */
export function part<T extends Message>(field: string, value: T | undefined): T {
  if (value === undefined) throw new PlanError('MISSING', field, 'is not set')
  const unknown = value.$unknown?.[0]
  if (unknown !== undefined)
    throw new PlanError('UNSUPPORTED', field, `has field number ${unknown.no}, which this worker does not know`)
  return value
}

/** What an enum's number stands for; not set is 0. */
export function choice<T>(field: string, meanings: Readonly<Record<number, T>>, value: number | undefined): T {
  const meaning = meanings[value ?? 0]
  if (meaning === undefined) throw new PlanError('UNSUPPORTED', field, `is ${value}, which this worker does not know`)
  return meaning
}

/** Whole milliseconds, rounded up, so that no wait or timeout becomes 0. */
export function durationMs(field: string, value: Duration | undefined, defaultMs: number, minMs: number): number {
  if (value === undefined) return defaultMs
  const ms = Number(value.seconds) * 1000 + Math.ceil(value.nanos / 1_000_000)
  if (ms < minMs) throw new PlanError('INVALID', field, `is ${ms} ms; it must be at least ${minMs} ms`)
  return ms
}

export function wholeNumber(field: string, value: number | undefined, defaultValue: number): number {
  return number(field, value, defaultValue, 0, Number.MAX_SAFE_INTEGER)
}

export function number(field: string, value: number | undefined, defaultValue: number, min: number, max: number): number {
  if (value === undefined) return defaultValue
  if (!(value >= min && value <= max)) throw new PlanError('INVALID', field, `is ${value}; it must be from ${min} to ${max}`)
  return value
}
