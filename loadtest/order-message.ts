import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import protobuf from 'protobufjs'

const buf = join(import.meta.dirname, '../node_modules/.bin/buf')

export const orderMessageName = 'loadtest.orders.v1.Order'

/** order.proto as a team would hand it to Ferry: a serialized FileDescriptorSet. */
export function buildDescriptorSet(): Uint8Array<ArrayBuffer> {
  const args = ['build', import.meta.dirname, '--config', '{"version":"v2"}', '--as-file-descriptor-set', '-o', '-#format=binpb']
  return new Uint8Array(execFileSync(buf, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 30_000 }))
}

/** The message as protobufjs knows it: what most teams' Node services use, and the faster one of the two libraries. */
export function loadOrderType(): protobuf.Type {
  return protobuf.loadSync(join(import.meta.dirname, 'order.proto')).lookupType(orderMessageName)
}
