import { AccessError } from './access-error.ts'
import type { CallBudget } from './call-budget.ts'
import { anonymous, type Caller, callerAs } from './caller.ts'
import type { CertificateRoles } from './certificate-roles.ts'
import type { HandOver } from './hand-over.ts'
import type { Identity } from './identity.ts'
import type { KnownTokens } from './known-tokens.ts'
import { identityOf } from './stored-token.ts'
import { hashOf, isSecret } from './token-secret.ts'

/** Who calls, as the caller says. */
export const actorHeader = 'ferry-actor'
/** Who calls, as another replica says, which hands the call on. */
export const callerHeader = 'ferry-caller'
export const authorizationHeader = 'authorization'

export interface GateOptions {
  /** Nobody is asked who they are. */
  readonly open: boolean
  /** SHA-256 of tokens that are configured, in hexadecimal. */
  readonly adminHashes: ReadonlySet<string>
  readonly certificates: CertificateRoles
  readonly tokens: Pick<KnownTokens, 'find'>
  readonly handOver: Pick<HandOver, 'sign' | 'verify'>
  readonly budget: Pick<CallBudget, 'take'>
}

/** What a call shows of its caller. */
export interface Showing {
  readonly header: Headers
  /** `{service}/{method}`. */
  readonly method: string
  /** Names of the client certificate that the connection has proven; none without one. */
  readonly certificateNames: () => readonly string[]
}

// Who calls, by the first that is there:
//
// | shown                               | then                                                                    |
// |-------------------------------------|-------------------------------------------------------------------------|
// | a caller that a replica has signed  | that one; a wrong signature is refused                                  |
// | authorization: Bearer               | the token's identity; one that is not known, has expired or is revoked is refused |
// | a client certificate                | the identity of the first configured of its names; of none is refused   |
// | nothing                             | refused                                                                 |

/** Says who calls. Throws AccessError. */
export class Gate {
  readonly #options: GateOptions

  constructor(options: GateOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#options.open
  }

  async admit(showing: Showing): Promise<Caller> {
    const { open, handOver, budget } = this.#options
    const { header, method } = showing
    if (open) return callerAs(anonymous, header.get(actorHeader))
    const signed = header.get(callerHeader)
    if (signed !== null) {
      const caller = await handOver.verify(signed, method)
      if (caller !== undefined) return caller
      throw new AccessError('UNAUTHENTICATED', `the header ${callerHeader} is for replicas only, and none has signed this one`)
    }
    const identity = await this.#identify(showing)
    budget.take(identity)
    return callerAs(identity, header.get(actorHeader))
  }

  /** Headers with which a call goes to the leader, so that it knows who calls. */
  async handOn(caller: Caller, header: Headers, method: string): Promise<Record<string, string>> {
    if (!this.#options.open) return { [callerHeader]: await this.#options.handOver.sign(caller, method) }
    // Nobody was asked here; the leader may ask.
    const shown = [actorHeader, authorizationHeader].map((name) => [name, header.get(name)] as const)
    return Object.fromEntries(shown.filter((each): each is [string, string] => each[1] !== null))
  }

  async #identify({ header, certificateNames }: Showing): Promise<Identity> {
    const authorization = header.get(authorizationHeader)
    if (authorization !== null) return this.#identifyToken(authorization)
    const names = certificateNames()
    const known = names.map((name) => this.#options.certificates.get(name)).find((each) => each !== undefined)
    if (known !== undefined) return known
    throw new AccessError(
      'UNAUTHENTICATED',
      names.length === 0
        ? 'who calls? Send a token as the header authorization: Bearer ferry_..., or show a client certificate (docs/access.md)'
        : `no role is configured for this client certificate (${names.join(', ').slice(0, 500)}): see FERRY_CERTIFICATE_ROLES`,
    )
  }

  async #identifyToken(authorization: string): Promise<Identity> {
    const [, secret] = /^bearer +(\S+)$/i.exec(authorization) ?? []
    if (secret === undefined || !isSecret(secret))
      throw new AccessError('UNAUTHENTICATED', 'the header authorization must be: Bearer, and ferry_ with 43 characters')
    const sha256 = hashOf(secret)
    if (this.#options.adminHashes.has(sha256)) return admin
    const token = await this.#options.tokens.find(sha256)
    if (token !== undefined) return identityOf(token)
    throw new AccessError('UNAUTHENTICATED', 'the token is not known, has expired or is revoked: ask an admin for another one')
  }
}

/** Whoever has a token of FERRY_ADMIN_TOKEN_SHA256. */
const admin: Identity = { ...anonymous, name: 'admin' }
