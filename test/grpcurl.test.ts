import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { waitUntil } from './harness/wait-until.ts'
import { runCommand } from './run-command.ts'

const root = join(import.meta.dirname, '..')
const bin = join(root, '.local/bin')
const version = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3'
const buildMsMax = 300_000
const commandMsMax = 20_000

const fleetOf = fleetOfFile({ workers: 1 })

/** Why it cannot be had; undefined when it is there. */
let missing: string | undefined

beforeAll(async () => {
  if (existsSync(join(bin, 'grpcurl'))) return
  const build = `GOBIN='${bin}' go install ${version}`
  const { exitCode, output } = await runCommand('bash', ['-c', `command -v go && ${build}`], buildMsMax, false)
  if (exitCode !== 0) missing = `there is no grpcurl in ${bin}, and it cannot be built (${build}): ${output}`
}, buildMsMax)

/** The README's lines for a shell, of every block that says that it is tested. */
function testedLines(): string[] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/<!-- tested -->\n```console\n(.*?)```/gs)].map((match) => match[1]!)
  return blocks.flatMap((block) => block.trimEnd().split('\n'))
}

async function run(line: string): Promise<string> {
  const { exitCode, output } = await runCommand('bash', ['-c', `PATH='${bin}':"$PATH"; ${line}`], commandMsMax, false)
  expect(exitCode, `${line}\n${output}`).toBe(0)
  return output
}

test('grpcurl lists every service, without any proto file', async (context) => {
  if (missing !== undefined) context.skip(missing)
  const [controlPlane] = fleetOf().controlPlanes
  const services = (await run(`grpcurl -plaintext localhost:${controlPlane!.ports.grpc} list`)).trim().split('\n')
  const ferry = ['DeliveryService', 'FleetService', 'RetryBatchService', 'UseCaseService', 'WorkerService']
  expect(services).toEqual(expect.arrayContaining([...ferry.map((each) => `ferry.v1.${each}`), 'grpc.health.v1.Health']))
})

test('every line of the README that is marked as tested works as it is printed', async (context) => {
  if (missing !== undefined) context.skip(missing)
  const fleet = fleetOf()
  const [controlPlane] = fleet.controlPlanes
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: offset % 5 === 0 ? 422 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(50))
  // As printed but for where things are: ports, and the topic, are this test's own.
  const places: [string, string][] = [
    ['localhost:7070', `localhost:${controlPlane!.ports.grpc}`],
    ['localhost:7071', `localhost:${controlPlane!.ports.http}`],
    ['localhost:9000', `localhost:${endpoint.port}`],
    ['"topic": "orders"', `"topic": "${topic.name}"`],
  ]
  const lines = testedLines().map((line) => places.reduce((text, [printed, own]) => text.replaceAll(printed, own), line))
  expect(lines.length).toBeGreaterThan(5)
  const outputs = new Map<string, string>()
  for (const line of lines) {
    const [, method = 'list'] = /ferry\.v1\.(\w+\/\w+)/.exec(line) ?? []
    outputs.set(method, await run(line))
    // The lines after it speak of what has been delivered by then.
    if (method === 'UseCaseService/CreateUseCase')
      await waitUntil('all is answered', 20_000, () => endpoint.requests.length >= 50)
  }
  expect(outputs.get('UseCaseService/GetUseCase')).toContain('"namespaces/shop/useCases/orders"')
  expect(JSON.parse(outputs.get('FleetService/ListLanes')!).lanes).toHaveLength(2)
  expect(JSON.parse(outputs.get('DeliveryService/VerifyRange')!).total).toMatchObject({ published: '50' })
  expect(JSON.parse(outputs.get('RetryBatchService/CreateRetryBatch')!).retryBatch.name).toMatch(/\/retryBatches\//)
})
