import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DescService } from '@bufbuild/protobuf'

/** For tests: the services of every file that the contract generates, so that none can be forgotten. */
export async function allServices(): Promise<DescService[]> {
  const directory = join(import.meta.dirname, '../../proto/gen/ferry/v1')
  const modules = await Promise.all(readdirSync(directory).map((name) => import(join(directory, name)) as Promise<object>))
  const values = modules.flatMap((module) => Object.values(module) as { kind?: string }[])
  return values.filter((value): value is DescService => value.kind === 'service')
}
