import type { BlockList } from 'node:net'
import { type AddressKind, addressKind, bare, familyOf, rangesOf } from './address-kind.ts'

// Where Ferry may connect to on behalf of a use case: anybody who may register one chooses the URL, and must not reach through Ferry
// what they could not reach themselves. Public addresses are free; others only when the operator allows them.
//
//   an entry of the list   | allows
//   10.1.0.0/16, ::1       | these addresses, whatever they are for
//   orders.internal        | this host, as long as its addresses are private, loopback or carrier-grade NAT; so does
//   *.svc.cluster.local    | any host below
//   private, loopback      | all addresses of this kind; loopback also the name localhost

export interface EgressRules {
  /** Why an address of a host may not be dialled; undefined when it may. */
  addressProblem(address: string, host: string): string | undefined
  /** What can be told by the host of a URL alone, without asking DNS: undefined when nothing speaks against it. */
  hostProblem(host: string): string | undefined
}

/** A name stands for these only: it must not become a way to metadata, or to everybody by multicast. */
const kindsByName: ReadonlySet<AddressKind> = new Set(['private', 'loopback', 'carrier-grade NAT'])

const hostForm = /^(?=.{1,253}$)(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/
const metadataName = /^(metadata|metadata\.google\.internal|metadata\.goog|instance-data|instance-data\.ec2\.internal)$/

/** Reads FERRY_EGRESS_ALLOW: entries separated by commas. Throws an Error that says what would be right. */
export function readEgressRules(text: string): EgressRules {
  const entries = text
    .split(',')
    .map((each) => each.trim().toLowerCase())
    .filter((each) => each !== '')
  const kinds: ReadonlySet<string> = new Set(entries.filter((each) => each === 'private' || each === 'loopback'))
  const ranges = entries.filter((each) => familyOf(each.split('/')[0]!) !== undefined)
  const hosts = entries.filter((each) => !kinds.has(each) && !ranges.includes(each))
  const wrong = hosts.find((each) => !hostForm.test(each) || /^[\d.]+$/.test(each))
  if (wrong !== undefined)
    throw new Error(
      `must be addresses, ranges as 10.0.0.0/8, hosts, *.domains, private or loopback; ${JSON.stringify(wrong)} is none`,
    )
  return new Rules(kinds, rangesOf(ranges), hosts)
}

class Rules implements EgressRules {
  readonly #kinds: ReadonlySet<string>
  readonly #ranges: BlockList
  readonly #hosts: ReadonlySet<string>
  readonly #domains: readonly string[]

  constructor(kinds: ReadonlySet<string>, ranges: BlockList, hosts: readonly string[]) {
    this.#kinds = kinds
    this.#ranges = ranges
    this.#hosts = new Set(hosts)
    this.#domains = hosts.filter((each) => each.startsWith('*.')).map((each) => each.slice(1))
  }

  addressProblem(address: string, host: string): string | undefined {
    const kind = addressKind(address)
    if (kind === undefined) return `${host} has ${JSON.stringify(address)}, which is no address`
    if (kind === 'public' || this.#kinds.has(kind) || this.#ranges.check(bare(address), familyOf(address)!)) return undefined
    if (kindsByName.has(kind) && this.#isAllowed(nameOf(host))) return undefined
    const whose = nameOf(host) === bare(address) ? address : `${host} has the address ${address}, which`
    return `${whose} is ${kind}, and FERRY_EGRESS_ALLOW does not allow it`
  }

  hostProblem(host: string): string | undefined {
    const name = nameOf(host)
    if (familyOf(name) !== undefined) return this.addressProblem(name, name)
    if (this.#isAllowed(name)) return undefined
    // A name may point to anything by its own DNS: only the worker, who dials, can tell. These say it themselves.
    const kind = /(^|\.)localhost$/.test(name) ? 'loopback' : metadataName.test(name) ? 'metadata of a cloud' : undefined
    if (kind === undefined || this.#kinds.has(kind)) return undefined
    if (kind === 'loopback' && this.#ranges.check('127.0.0.1')) return undefined
    return `${host} is ${kind}, and FERRY_EGRESS_ALLOW does not allow it`
  }

  #isAllowed(name: string): boolean {
    return this.#hosts.has(name) || this.#domains.some((each) => name.endsWith(each))
  }
}

/** As a URL has it: an IPv6 address in brackets, a name perhaps with the root's dot. */
const nameOf = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
