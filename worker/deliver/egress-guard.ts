import dns from 'node:dns'
import type { LookupFunction } from 'node:net'
import { TLSSocket } from 'node:tls'
import { buildConnector } from 'undici'
import type { EgressRules } from '../../runtime/egress-rules.ts'

/** Its class and code tell it from whatever else may go wrong with a connection. */
export class EgressError extends Error {
  override readonly name = 'EgressError'
  readonly code = 'FERRY_EGRESS_BLOCKED'
}

/**
 * Opens connections to where the rules allow, and to nowhere else. What is checked is what is dialled: addresses as they come out of
 * the resolver go straight to connect(), so a name that is answered otherwise a moment later (DNS rebinding) gains nothing. `options`
 * are those of undici's connector: timeout, TLS.
 */
export function guardedConnector(rules: EgressRules, options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector({ ...options, lookup: guardedLookup(rules) } as buildConnector.BuildOptions)
  return (asked, callback) => {
    // An address is never looked up: it is checked here. A name that gives itself away is not asked for either.
    const problem = rules.hostProblem(asked.hostname)
    if (problem === undefined) connect(asked, (...result) => callback(...endedByItsError(result)))
    else setImmediate(() => callback(new EgressError(problem), null))
  }
}

type Connected = Parameters<buildConnector.Callback>

/**
 * A TLS alert that comes after the handshake, such as that of a server that wants a client certificate, is an error of Node's socket that does not end
 * it; undici would then report the end that follows, and not the alert.
 */
export function endedByItsError(result: Connected): Connected {
  const [, socket] = result
  if (socket instanceof TLSSocket) socket.once('error', (error) => socket.destroy(error))
  return result
}

/** Node's resolver without the addresses that the rules refuse; an EgressError when that leaves none. */
function guardedLookup(rules: EgressRules): LookupFunction {
  return (hostname, options, callback) => {
    dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0)
      const problems = addresses.map(({ address }) => rules.addressProblem(address, hostname))
      const free = addresses.filter((_, at) => problems[at] === undefined)
      if (free.length === 0) return callback(new EgressError(problems[0] ?? `${hostname} has no address`), '', 0)
      if (options.all === true) callback(null, free)
      else callback(null, free[0]!.address, free[0]!.family)
    })
  }
}

/** Why nothing of a host could be dialled now; undefined when it could, or when its name does not resolve: that is no matter of rules. */
export function findEgressProblem(rules: EgressRules, host: string): Promise<string | undefined> {
  const problem = rules.hostProblem(host)
  if (problem !== undefined) return Promise.resolve(problem)
  return new Promise((done) => {
    guardedLookup(rules)(host.replace(/^\[(.*)\]$/, '$1'), { all: true }, (error) =>
      done(error instanceof EgressError ? error.message : undefined),
    )
  })
}
