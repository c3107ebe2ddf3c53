import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What takes more than half a minute, the longest first. In a clean clone vitest knows no durations: it would begin with the largest files. */
const long = [
  'test/chaos/chaos.test.ts',
  'test/memory-flat.test.ts',
  'test/worker-killed.test.ts',
  'test/kafka-away.test.ts',
  'test/redis-restarted.test.ts',
  'test/control-plane-killed.test.ts',
  'test/retry-batch.test.ts',
  'test/retry-batch-killed.test.ts',
  'test/endpoint-down.test.ts',
  'test/clickhouse-away.test.ts',
  'test/worker-drained.test.ts',
  'loadtest/main.test.ts',
]

/** Begins with the files that take longest, so that at the end nobody waits for one of them alone. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const places = new Map(sorted.map((file) => [file, placeOf(file)]))
    return sorted.sort((a, b) => places.get(a)! - places.get(b)!)
  }
}

function placeOf({ moduleId, project }: TestSpecification): number {
  const at = long.findIndex((name) => moduleId.endsWith(`/${name}`))
  return project.config.sequence.groupOrder * (long.length + 1) + (at < 0 ? long.length : at)
}
