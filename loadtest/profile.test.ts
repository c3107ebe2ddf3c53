import { expect, test } from 'vitest'
import { type CpuProfile, summarizeProfile } from './profile.ts'

const root = 'file:///somewhere/ferry'
const frames = {
  idle: { functionName: '(idle)', url: '', lineNumber: -1 },
  start: { functionName: '(program)', url: '', lineNumber: -1 },
  admit: { functionName: '#admit', url: `${root}/worker/lane/lane.ts`, lineNumber: 9 },
  dispatch: { functionName: 'dispatch', url: `${root}/node_modules/undici/lib/dispatcher/client.js`, lineNumber: 0 },
  scoped: { functionName: '', url: `${root}/node_modules/@grpc/grpc-js/build/call.js`, lineNumber: 4 },
  writev: { functionName: 'writev', url: '', lineNumber: -1 },
  stream: { functionName: 'write', url: 'node:internal/streams/writable', lineNumber: 2 },
}
const names = Object.keys(frames) as (keyof typeof frames)[]

const profileOf = (samples: readonly [keyof typeof frames, us: number][]): CpuProfile => ({
  nodes: names.map((name, at) => ({ id: at + 1, callFrame: frames[name] })),
  samples: samples.map(([name]) => names.indexOf(name) + 1),
  timeDeltas: samples.map(([, us]) => us),
})

test('self time is shared out by origin and by function, largest first, without idling, start and end', () => {
  const { origins, functions } = summarizeProfile(
    profileOf([
      ['start', 333],
      ['idle', 100_000],
      ['writev', 300],
      ['admit', 150],
      ['dispatch', 120],
      ['scoped', 30],
      ['idle', 100_000],
      ['stream', 10],
      ['start', 57],
    ]),
  )
  const shares = (list: typeof origins) => list.map(({ name, share }) => [name, Math.round(share * 610)])
  expect(shares(origins)).toEqual([
    ['native, mostly system calls', 300],
    ['worker/lane', 150],
    ['undici', 120],
    ['@grpc/grpc-js', 30],
    ['node:internal/streams', 10],
  ])
  expect(functions.map(({ name }) => name)).toEqual([
    'writev',
    '#admit worker/lane/lane.ts:10',
    'dispatch undici/lib/dispatcher/client.js:1',
    '(anonymous) @grpc/grpc-js/build/call.js:5',
    'write node:internal/streams/writable:3',
  ])
})
