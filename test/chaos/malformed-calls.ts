import { execFile } from 'node:child_process'
import { type ClientHttp2Session, connect as http2Connect } from 'node:http2'
import { connect as tcpConnect } from 'node:net'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { DescField, DescMessage, DescMethod, DescService } from '@bufbuild/protobuf'
import { ScalarType } from '@bufbuild/protobuf'
import fc from 'fast-check'
import type { ControlPlane } from '../../deploy/local/fleet.ts'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { FleetService } from '../../proto/gen/ferry/v1/fleet_service_pb.ts'
import { ReplayService } from '../../proto/gen/ferry/v1/replay_service_pb.ts'
import { RetryBatchService } from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { WorkerService } from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { Random } from './random.ts'

const services: readonly DescService[] = [
  UseCaseService,
  DeliveryService,
  RetryBatchService,
  ReplayService,
  FleetService,
  WorkerService,
]
const methods: readonly DescMethod[] = services.flatMap((service) => service.methods)
const callMsMax = 30_000
const sendMsMax = 300_000
/** Above what a request may have. */
const oversizedBytes = 17 << 20

type Target = Pick<ControlPlane, 'ports' | 'httpUrl'>

/** One call; answers its code, in the words of the wire. */
type Call = (random: Random, target: Target) => Promise<string>

const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`
const bytesOf = (random: Random, length: number): Buffer => Buffer.from(Array.from({ length }, () => random.int(0, 255)))

/** Values of every kind for every field, most of them wrong: lists and maps too long, numbers and times at their ends, any text. */
function anyMessage(message: DescMessage, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const fields = message.fields.map((field) => [field.jsonName, anyField(field, depth)] as const)
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] })
}

function anyField(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const wrongKind = fc.constantFrom<unknown>(null, {}, [], 'x', -1, 1e300, true, '9223372036854775808')
  if (depth > 4) return wrongKind
  switch (field.fieldKind) {
    case 'list':
      return fc.oneof(fc.array(anyValue(field.message, field.scalar, depth), { maxLength: 200 }), wrongKind)
    case 'map':
      return fc.oneof(
        fc.dictionary(fc.string({ maxLength: 300 }), anyValue(field.message, field.scalar, depth), { maxKeys: 50 }),
        wrongKind,
      )
    default:
      return fc.oneof(
        { weight: 5, arbitrary: anyValue(field.message, field.fieldKind === 'scalar' ? field.scalar : undefined, depth) },
        wrongKind,
      )
  }
}

function anyValue(message: DescMessage | undefined, scalar: ScalarType | undefined, depth: number): fc.Arbitrary<unknown> {
  if (message?.typeName === 'google.protobuf.Duration')
    return fc.oneof(
      fc.integer().map((s) => `${s}s`),
      fc.string(),
    )
  if (message?.typeName === 'google.protobuf.Timestamp')
    return fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.string(),
    )
  if (message?.typeName === 'google.protobuf.FieldMask')
    return fc.oneof(
      fc.array(fc.string(), { maxLength: 300 }).map((paths) => paths.join(',')),
      fc.string(),
    )
  if (message !== undefined) return anyMessage(message, depth + 1)
  switch (scalar) {
    case ScalarType.STRING:
      return fc.oneof(fc.string({ unit: 'binary', maxLength: 50 }), fc.string({ minLength: 1000, maxLength: 3000 }))
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes).toString('base64'))
    case ScalarType.BOOL:
      return fc.boolean()
    case undefined:
      return fc.oneof(fc.integer(), fc.string())
    default:
      return fc.oneof(fc.integer(), fc.double(), fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String))
  }
}

const arbitraries = new Map(methods.map((method) => [method, anyMessage(method.input, 0)]))

async function post(target: Target, path: string, type: string, body: string | Buffer, encoding = 'identity'): Promise<string> {
  const answer = await fetch(`${target.httpUrl}${path}`, {
    ...{
      method: 'POST',
      headers: { 'content-type': type, 'content-encoding': encoding },
      body: body as string,
      signal: AbortSignal.timeout(callMsMax),
    },
  })
  const text = await answer.text()
  try {
    return String((JSON.parse(text) as { code?: string }).code ?? answer.status)
  } catch {
    return String(answer.status)
  }
}

const randomFields: Call = (random, target) => {
  const method = random.pick(methods)
  const [value] = fc.sample(arbitraries.get(method)!, { numRuns: 1, seed: random.int(0, 2 ** 30) })
  // So that many keep the contract's rules: without a lease in Redis none of them is a worker's.
  const body = method.name === 'Heartbeat' ? { ...value, protocolVersion: 1 } : value
  return post(target, pathOf(method), 'application/json', JSON.stringify(body))
}

const randomBytes: Call = (random, target) => {
  const type = random.pick([
    'application/json',
    'application/proto',
    'text/plain',
    'application/grpc',
    'application/connect+json',
    '',
  ])
  return post(target, pathOf(random.pick(methods)), type, bytesOf(random, random.int(0, 2000)))
}

const wrongPath: Call = (random, target) => post(target, `/${bytesOf(random, 20).toString('hex')}`, 'application/json', '{}')

const deep: Call = (random, target) => {
  const method = random.pick(methods)
  if (random.int(0, 1) === 0) return post(target, pathOf(method), 'application/json', `{"useCase":${'['.repeat(200_000)}`)
  // Groups within groups, which no field of the contract is.
  return post(target, pathOf(method), 'application/proto', Buffer.alloc(200_000, 0x0b))
}

const deepGroups: Call = (random, target) =>
  grpc(target, random.pick(methods), framed(Buffer.alloc(100_000, 0x0b)), 'application/grpc')

const garbage: Call = (random, target) =>
  new Promise((resolve) => {
    const socket = tcpConnect(random.pick([target.ports.grpc, target.ports.http]), '127.0.0.1', () =>
      socket.end(bytesOf(random, 500)),
    )
    socket.setTimeout(callMsMax, () => socket.destroy(new Error('neither answered nor closed')))
    socket.on('error', (error) => resolve(error.message.includes('neither') ? 'internal' : 'closed'))
    socket.on('close', () => resolve('closed'))
    socket.resume()
  })

const framed = (bytes: Buffer, length = bytes.length, flag = 0): Buffer => {
  const head = Buffer.alloc(5)
  head[0] = flag
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, bytes])
}

const grpcBytes: Call = (random, target) => {
  const bytes = bytesOf(random, random.int(0, 1000))
  const body = random.pick([framed(bytes), bytes, framed(bytes, 0x7fffffff), framed(bytes, bytes.length, 1), Buffer.alloc(0)])
  return grpc(target, random.pick(methods), body, random.pick(['application/grpc', 'application/grpc+proto', 'text/plain']))
}

const oversized: Call = (random, target) => {
  const method = random.pick(methods)
  const body = Buffer.alloc(oversizedBytes, 0x20)
  return random.int(0, 1) === 0
    ? post(target, pathOf(method), 'application/json', body).catch(() => 'closed')
    : grpc(target, method, framed(body), 'application/grpc')
}

/** Small on the wire, and far above what a request may have when it is unpacked. */
const packed = gzipSync(Buffer.alloc(4 * oversizedBytes))

const bomb: Call = (random, target) => {
  const method = random.pick(methods)
  return random.int(0, 1) === 0
    ? post(target, pathOf(method), 'application/json', packed, 'gzip')
    : grpc(target, method, framed(packed, packed.length, 1), 'application/grpc', 'gzip')
}

const sessions = new Map<number, ClientHttp2Session>()

function sessionOf({ ports }: Target): ClientHttp2Session {
  const known = sessions.get(ports.grpc)
  if (known !== undefined && !known.closed && !known.destroyed) return known
  // Its default is 10 MB of what is on the way, which is less than an oversized call.
  const session = http2Connect(`http://127.0.0.1:${ports.grpc}`, { maxSessionMemory: 1000 })
  session.on('error', () => {})
  sessions.set(ports.grpc, session)
  return session
}

function grpc(target: Target, method: DescMethod, body: Buffer, type: string, encoding = 'identity'): Promise<string> {
  return new Promise((resolve) => {
    const head = { ':method': 'POST', ':path': pathOf(method), 'content-type': type, te: 'trailers', 'grpc-encoding': encoding }
    const stream = sessionOf(target).request(head)
    let code = 'closed'
    const read = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined)
        code =
          headers['grpc-status'] === '13' && String(headers['grpc-message']).includes('internal')
            ? 'internal'
            : `grpc ${headers['grpc-status']}`
    }
    stream.on('response', read)
    stream.on('trailers', read)
    stream.setTimeout(callMsMax, () => {
      code = 'internal'
      stream.close()
    })
    stream.on('error', () => {})
    stream.on('close', () => resolve(code))
    stream.resume()
    stream.end(body)
  })
}

const kinds: readonly (readonly [weight: number, call: Call])[] = [
  [39, randomFields],
  [20, randomBytes],
  [25, grpcBytes],
  [8, garbage],
  [5, wrongPath],
  [1, deep],
  [1, deepGroups],
  [1, bomb],
]
const bag = kinds.flatMap(([weight, call]) => Array.from({ length: weight }, () => call))
const oversizedShare = 500

interface Order {
  readonly targets: readonly Target[]
  readonly seed: number
  readonly calls: number
  readonly atOnce: number
}

/** How often each code was the answer. */
type Codes = Readonly<Record<string, number>>

/** Sends so many calls, some at once, from a process of its own: load and endpoints of this one are not to feel them. */
export async function sendMalformed(
  targets: readonly ControlPlane[],
  random: Random,
  calls: number,
  atOnce: number,
): Promise<Codes> {
  const order: Order = {
    targets: targets.map(({ ports, httpUrl }) => ({ ports, httpUrl })),
    seed: random.int(0, 2 ** 30),
    calls,
    atOnce,
  }
  const { stdout } = await promisify(execFile)(process.execPath, [import.meta.filename, JSON.stringify(order)], {
    timeout: sendMsMax,
  })
  return JSON.parse(stdout) as Codes
}

async function carryOut({ targets, seed, calls, atOnce }: Order): Promise<Codes> {
  const random = new Random(seed)
  const codes: Record<string, number> = {}
  let left = calls
  const one = async (): Promise<void> => {
    while (left > 0) {
      const call = left-- % oversizedShare === 0 ? oversized : random.pick(bag)
      const code = await call(random, random.pick(targets)).catch((error: Error) => `not answered: ${error.message}`)
      const name = `${call === oversized ? 'oversized ' : ''}${code}`
      codes[name] = (codes[name] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  for (const session of sessions.values()) session.close()
  return codes
}

if (process.argv[1] === import.meta.filename) console.log(JSON.stringify(await carryOut(JSON.parse(process.argv[2]!) as Order)))
