/** What V8 writes with --cpu-prof, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[]
  /** Ids of the nodes that were on top of the stack. */
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

export interface Share {
  readonly name: string
  /** Of the busy time, 0 to 1. */
  readonly share: number
}

export interface ProfileSummary {
  /** By where the code comes from. */
  readonly origins: readonly Share[]
  readonly functions: readonly Share[]
}

/** Of the busy time: what comes before is start and warm-up, what comes after is the end of the run. */
const fromShare = 1 / 3
const toShare = 0.95

/** Self time by origin and by function, largest first, without idle time. */
export function summarizeProfile({ nodes, samples, timeDeltas }: CpuProfile): ProfileSummary {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const busy = samples
    .map((id, at) => ({ frame: frames.get(id)!, us: timeDeltas[at]! }))
    .filter(({ frame }) => frame.functionName !== '(idle)')
  const busyUs = busy.reduce((sum, { us }) => sum + us, 0)
  const origins = new Map<string, number>()
  const functions = new Map<string, number>()
  let passedUs = 0
  for (const { frame, us } of busy) {
    passedUs += us
    if (passedUs < busyUs * fromShare || passedUs > busyUs * toShare) continue
    add(origins, originOf(frame), us)
    add(functions, functionOf(frame), us)
  }
  return { origins: toShares(origins), functions: toShares(functions) }
}

function add(sums: Map<string, number>, name: string, us: number): void {
  sums.set(name, (sums.get(name) ?? 0) + us)
}

function toShares(sums: ReadonlyMap<string, number>): Share[] {
  const total = [...sums.values()].reduce((sum, us) => sum + us, 0)
  return [...sums].map(([name, us]) => ({ name, share: us / total })).toSorted((left, right) => right.share - left.share)
}

/** `worker/lane` for Ferry's own code, the package for others', `node:stream` for Node's, `(garbage collector)` and its like. */
function originOf({ functionName, url }: CallFrame): string {
  if (url.startsWith('node:')) return url.split('/', 2).join('/')
  if (url.startsWith('wasm:')) return 'undici (llhttp, wasm)'
  if (url === '') return functionName.startsWith('(') ? functionName : 'native, mostly system calls'
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)
  return inPackage?.[1] ?? shortPath(url).split('/').slice(0, -1).join('/')
}

function functionOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  return url === '' ? name : `${name} ${shortPath(url)}:${lineNumber + 1}`
}

/** Without what is above the project or the package. */
function shortPath(url: string): string {
  return url
    .replace(/^file:\/\//, '')
    .replace(/^.*\/(?=node_modules\/|worker\/|runtime\/|proto\/)/, '')
    .replace(/^node_modules\//, '')
}
