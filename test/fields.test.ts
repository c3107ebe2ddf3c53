import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { UseCaseSpecSchema } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { fieldCases } from './fields/cases.ts'
import { runFieldCase } from './fields/field-case.ts'
import { shownElsewhere } from './fields/shown-elsewhere.ts'
import { walkFields } from './fields/walk-fields.ts'
import { Fleet } from './harness/fleet.ts'
import { privateStack } from './stack.ts'

let west: Awaited<ReturnType<typeof privateStack>>
let fleet: Fleet
beforeAll(async () => {
  west = await privateStack({ kafka: true })
  const env = { FERRY_KAFKA_CLUSTERS: 'west', FERRY_KAFKA_WEST_BROKERS: west.kafkaBrokers.join(',') }
  fleet = await Fleet.start({ workers: 1, controlPlaneEnv: env, workerEnv: env })
})
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]()
  await west?.[Symbol.asyncDispose]()
})

test.concurrent.each(fieldCases.map((each) => [each.fields.join(', '), each.effect, each] as const))(
  '%s: %s',
  (_fields, _effect, fieldCase) => runFieldCase(fleet, west.kafkaBrokers, fieldCase),
)

test('every field of a use case has an effect that a test shows', () => {
  const here = new Map(fieldCases.flatMap((each) => each.fields.map((field) => [field, `here: ${each.effect}`] as const)))
  const shown = walkFields(UseCaseSpecSchema).map((field) => [field, here.get(field) ?? elsewhere(field)] as const)
  console.log(shown.map(([field, by]) => `${field.padEnd(58)} ${by ?? 'NOWHERE'}`).join('\n'))
  expect(shown.filter(([, by]) => by === undefined).map(([field]) => field)).toEqual([])
  const known = walkFields(UseCaseSpecSchema)
  const isKnown = (path: string): boolean => known.some((field) => field === path || field.startsWith(`${path}.`))
  expect([...here.keys(), ...Object.keys(shownElsewhere)].filter((path) => !isKnown(path))).toEqual([])
})

/** By the longest beginning of the field's path; the test must be there. */
function elsewhere(field: string): string | undefined {
  for (let path = field; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) {
    const found = shownElsewhere[path]
    if (found === undefined) continue
    const [file, name] = found
    const text = readFileSync(join(import.meta.dirname, `${file}.test.ts`), 'utf8')
    if (!text.includes(`('${name}`)) throw new Error(`test/${file}.test.ts has no test that begins with "${name}"`)
    return `${file}: ${name}`
  }
  return undefined
}
