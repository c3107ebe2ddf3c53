import { createFileRegistry, fromBinary, toJson } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildDescriptorSet, flightEncoder, flightMessageName } from './flight-message.ts'
import { readFlight } from './flight-request.ts'

const descriptorSet = buildDescriptorSet()
const encode = flightEncoder(descriptorSet)
const schema = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet)).getMessage(flightMessageName)!

test('what the old service publishes is, as ProtoJSON, what the new service reads', () => {
  const airport = fc.stringMatching(/^[A-Z]{3}$/)
  const flight = fc.record({
    id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    departureS: fc.integer({ min: 0, max: 4_102_444_800 }),
    delayMinutes: fc.integer({ min: -1_000, max: 3_000 }),
    distanceMiles: fc.integer({ min: 0, max: 6_000 }),
    origin: airport,
    destination: airport,
  })
  fc.assert(
    fc.property(flight, (each) => {
      const json = JSON.stringify(toJson(schema, fromBinary(schema, encode(each))))
      expect(readFlight(json)).toEqual(each)
    }),
  )
})
