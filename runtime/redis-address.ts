/** A cluster's nodes to start from; it tells all others itself. */
export interface ClusterAddress {
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly isSecure: boolean
}

const cluster = /^(rediss?)\+cluster:\/\/(?:([^@/:]*)(?::([^@/]*))?@)?([^@/]+)\/?$/
const node = /^(?:\[([0-9a-fA-F:]+)\]|([a-zA-Z0-9._-]+)):(\d{1,5})$/
const form = 'must be a URL as redis://host:port or, for a Redis Cluster, redis+cluster://host:port,host:port (rediss with TLS)'

/** What FERRY_REDIS_URL names: a cluster, or undefined for a single server, whose URL is taken as it is. Throws on a text that is neither. */
export function readClusterAddress(url: string): ClusterAddress | undefined {
  if (URL.canParse(url) && ['redis:', 'rediss:'].includes(new URL(url).protocol)) return undefined
  const match = cluster.exec(url)
  if (match === null) throw new Error(form)
  const [, scheme, username, password, list] = match
  const nodes = list!.split(',').map((each) => {
    const parts = node.exec(each.trim())
    if (parts === null || Number(parts[3]) > 65_535) throw new Error(`${form}; ${JSON.stringify(each)} is not host:port`)
    return { host: (parts[1] ?? parts[2])!, port: Number(parts[3]) }
  })
  return { nodes, username: decoded(username), password: decoded(password), isSecure: scheme === 'rediss' }
}

const decoded = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : decodeURIComponent(text)
