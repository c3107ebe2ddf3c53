import type { DescService } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'

/** A service and what serves it, when it no longer matters which service it is. */
export type ServiceEntry = { readonly service: DescService; readonly implementation: Partial<ServiceImpl<DescService>> }

/** The one place where the tie between the two types is let go: both come in together, typed. */
export function serviceEntry<S extends DescService>(service: S, implementation: Partial<ServiceImpl<S>>): ServiceEntry {
  return { service, implementation: implementation as unknown as ServiceEntry['implementation'] }
}
