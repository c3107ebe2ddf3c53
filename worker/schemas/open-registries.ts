import type { DecodeLimits } from '../../convert/decode/decode-limits.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import type { Logger } from '../../runtime/log.ts'
import type { SchemaRegistryConfig } from '../../runtime/schema-registries.ts'
import { registryAsker } from './ask-registry.ts'
import { SchemaRegistry } from './schema-registry.ts'

/** The configured schema registries, by their names; one of each for all use cases. */
export function openRegistries(
  configs: readonly SchemaRegistryConfig[],
  limits: DecodeLimits,
  egress: EgressRules,
  log: Pick<Logger, 'info' | 'warn'>,
): ReadonlyMap<string, SchemaRegistry> {
  return new Map(
    configs.map((each) => {
      const { name, schemasMax } = each
      return [name, new SchemaRegistry(registryAsker(each, egress), { name, schemasMax, limits }, log)]
    }),
  )
}
