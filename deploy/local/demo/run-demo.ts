import type { Findings } from './certificate.ts'
import type { DemoParts, Ferry } from './demo-parts.ts'
import { buildDescriptorSet, flightEncoder } from './flight-message.ts'
import { Migration, partitions } from './migration.ts'
import type { NewService } from './new-service-client.ts'
import { formatCount } from './progress-line.ts'
import { readPublicTable } from './public-table.ts'
import type { Screen } from './screen.ts'
import { flightsUseCase } from './use-case.ts'

const outageSeconds = 4
/** Of all rows: when so many have arrived, the new service goes down. */
const outageAt = 0.3

export interface DemoResult {
  readonly findings: Findings
  readonly ferry: Ferry
  readonly newService: NewService
  readonly clickhouseUrl: string
  /** A record that was refused at first: its timeline is worth a look. */
  readonly refused: { readonly partition: number; readonly offset: number }
}

/** The whole demo, from nothing to what the certificate is made of. */
export async function runDemo(
  parts: DemoParts,
  rows: number,
  screen: Screen,
  onDeath: (message: string) => void,
): Promise<DemoResult> {
  const topic = `flights${parts.suffix}`
  const useCase = `namespaces/demo/useCases/flights${parts.suffix}`
  screen.line()
  screen.line(screen.paint.bold(`Ferry moves ${formatCount(rows)} flights from an old service to a new one`))
  screen.line()
  const stack = await screen.step('Kafka, Redis and ClickHouse', () => parts.startStack(onDeath))
  const ferry = await screen.step('Ferry: a control plane and two workers', () => parts.startFerry(stack))
  const oldService = await screen.step('the old service, with a public table of flights in its database', async () => {
    const service = parts.openOldService(stack, topic)
    await service.fill(readPublicTable(stack.clickhouseUrl, rows))
    await service.createTopic(partitions)
    return service
  })
  const newService = await screen.step('the new service, with an empty table', () =>
    parts.startNewService(rows, { afterRows: Math.ceil(rows * outageAt), ms: outageSeconds * 1000 }),
  )
  const descriptorSet = buildDescriptorSet()
  const options = { useCase, rows, outageSeconds, encode: flightEncoder(descriptorSet) }
  const migration = new Migration(options, oldService, newService, ferry, screen)
  await screen.step(`registered by one gRPC call: ${useCase}`, async () => {
    await ferry.client.useCases.createUseCase({ useCase: flightsUseCase(useCase, topic, descriptorSet, newService.url) })
    await migration.waitForLanes()
  })
  screen.line()
  const findings = await migration.run()
  screen.line()
  const { attempts } = await ferry.client.deliveries.listAttempts({ useCase, filter: { statuses: [422] }, pageSize: 1 })
  const refused = { partition: attempts[0]?.partition ?? 0, offset: Number(attempts[0]?.offset ?? 0) }
  return { findings, ferry, newService, clickhouseUrl: stack.clickhouseUrl, refused }
}
