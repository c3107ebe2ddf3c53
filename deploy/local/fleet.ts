import { get as getPlainly } from 'node:http'
import { get as getByTls } from 'node:https'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { LocalProcess, type ProcessSpec } from './local-process.ts'

/** Where the fleet finds what it stands on. A Stack is one. */
export interface FleetStack {
  readonly kafkaBrokers: readonly string[]
  readonly redisUrl: string
  readonly clickhouseUrl: string
}

export interface FleetOptions {
  /** Names the process and the files in dataDir that take what it prints. */
  readonly name: string
  readonly dataDir: string
  /** Random free ones where not set; give those of an earlier life to start it again at its address. */
  readonly ports?: { readonly grpc?: number; readonly http?: number }
  readonly database?: string
  /** Over the FERRY_* variables that are set here. */
  readonly env?: Readonly<Record<string, string>>
  /** Given to Node before the program. */
  readonly nodeArgs?: readonly string[]
}

const root = join(import.meta.dirname, '../..')
const readyProbeMsMax = 2_000

export const fleetDatabase = 'ferry'

/** A control plane that may not be ready yet. */
export class ControlPlane extends LocalProcess {
  readonly grpcAddress: string
  readonly httpUrl: string
  readonly ports: { readonly grpc: number; readonly http: number }

  constructor(spec: ProcessSpec, grpc: number, http: number) {
    super(spec)
    this.ports = { grpc, http }
    this.grpcAddress = `127.0.0.1:${grpc}`
    this.httpUrl = `http://127.0.0.1:${http}`
  }
}

/** A worker that may not be ready yet. */
export class Worker extends LocalProcess {
  readonly httpUrl: string

  constructor(spec: ProcessSpec, http: number) {
    super(spec)
    this.httpUrl = `http://127.0.0.1:${http}`
  }
}

/** Starts a control plane; waitReady says when it takes calls. */
export async function startControlPlane(stack: FleetStack, options: FleetOptions): Promise<ControlPlane> {
  const grpc = options.ports?.grpc ?? (await freePort())
  const http = options.ports?.http ?? (await freePort())
  const own = { FERRY_GRPC_ADDRESS: `127.0.0.1:${grpc}`, FERRY_HTTP_ADDRESS: `127.0.0.1:${http}` }
  return new ControlPlane(specOf('control-plane/main.ts', stack, options, own, http), grpc, http)
}

/** Starts a worker that asks these control planes for lanes; waitReady says when it has reached one. */
export async function startWorker(
  stack: FleetStack,
  controlPlanes: readonly { readonly grpcAddress: string }[],
  options: FleetOptions,
): Promise<Worker> {
  const http = options.ports?.http ?? (await freePort())
  const addresses = controlPlanes.map((each) => each.grpcAddress).join(',')
  const own = { FERRY_CONTROL_PLANE: addresses, FERRY_HTTP_ADDRESS: `127.0.0.1:${http}` }
  return new Worker(specOf('worker/main.ts', stack, options, own, http), http)
}

function specOf(
  program: string,
  stack: FleetStack,
  options: FleetOptions,
  own: Readonly<Record<string, string>>,
  httpPort: number,
): ProcessSpec {
  const scheme = options.env?.['FERRY_TLS_CERTIFICATE_FILE'] === undefined ? 'http' : 'https'
  return {
    name: options.name,
    command: process.execPath,
    args: [...(options.nodeArgs ?? []), join(root, program)],
    env: {
      FERRY_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
      FERRY_REDIS_URL: stack.redisUrl,
      FERRY_CLICKHOUSE_URL: stack.clickhouseUrl,
      FERRY_CLICKHOUSE_DATABASE: options.database ?? fleetDatabase,
      // Endpoints are on this machine.
      FERRY_EGRESS_ALLOW: 'loopback',
      ...own,
      ...options.env,
    },
    dataDir: options.dataDir,
    isReady: () => answersOk(`${scheme}://127.0.0.1:${httpPort}/readyz`),
  }
}

/** It says whether it is ready; whether its certificate is good is not asked here. */
function answersOk(url: string): Promise<boolean> {
  const get = url.startsWith('https:') ? getByTls : getPlainly
  return new Promise((resolve) => {
    const request = get(url, { rejectUnauthorized: false, timeout: readyProbeMsMax, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    request.on('error', () => resolve(false))
    request.on('timeout', () => request.destroy(new Error('no answer')))
  })
}
