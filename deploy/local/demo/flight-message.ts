import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { DemoError } from './demo-error.ts'
import type { Flight } from './flight-table.ts'

const buf = join(import.meta.dirname, '../../../node_modules/.bin/buf')

export const flightMessageName = 'demo.flights.v1.Flight'

/** flights.proto with all its imports, as a team would hand it to Ferry: a serialized FileDescriptorSet. */
export function buildDescriptorSet(): Uint8Array<ArrayBuffer> {
  const args = ['build', import.meta.dirname, '--config', '{"version":"v2"}', '--as-file-descriptor-set', '-o', '-#format=binpb']
  return new Uint8Array(execFileSync(buf, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 30_000 }))
}

/** Writes flights as the descriptor set's message: no generated code, as the old service would have some of its own. */
export function flightEncoder(descriptorSet: Uint8Array): (flight: Flight) => Uint8Array {
  const found = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet)).getMessage(flightMessageName)
  if (found === undefined) throw new DemoError(`the descriptor set has no message ${flightMessageName}`)
  const schema: DescMessage = found
  return (flight) => toBinary(schema, create(schema, toFields(flight)))
}

const toFields = ({ id, departureS, delayMinutes, distanceMiles, origin, destination }: Flight): Record<string, unknown> => ({
  id: BigInt(id),
  departureTime: { seconds: BigInt(departureS), nanos: 0 },
  delayMinutes,
  distanceMiles,
  origin,
  destination,
})
