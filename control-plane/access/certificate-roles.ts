import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import type { Identity } from './identity.ts'

/** Who a client certificate is, by one of its names, as `dns:`, `uri:`, `email:` or `cn:` and the name. */
export type CertificateRoles = ReadonlyMap<string, Identity>

const entryForm = /^((?:dns|uri|email|cn):[^\s,]+)=([a-z]+)(?:@([a-z0-9+-]+))?$/
const roles: Readonly<Record<string, Role>> = {
  ...{ viewer: Role.VIEWER, operator: Role.OPERATOR, editor: Role.EDITOR, admin: Role.ADMIN, worker: Role.WORKER },
}

/**
 * Reads `{name}={role}` for all namespaces or `{name}={role}@{namespace}+{namespace}`, separated by commas. Throws an Error that says what
 * would be right.
 */
export function readCertificateRoles(text: string): CertificateRoles {
  const identities = new Map<string, Identity>()
  for (const entry of text === '' ? [] : text.split(',').map((each) => each.trim())) {
    const [, name = '', roleText = '', list] = entryForm.exec(entry) ?? []
    const role = roles[roleText]
    const namespaces = list?.split('+')
    const isWrong = role === undefined || namespaces?.some((each) => !/^[a-z][a-z0-9-]{0,62}$/.test(each))
    if (isWrong) throw new Error(`${form}; ${JSON.stringify(entry)} is none`)
    if (role === Role.WORKER && namespaces !== undefined)
      throw new Error(`must give a worker no namespaces, it carries the records of all; ${JSON.stringify(entry)}`)
    if (identities.has(name)) throw new Error(`must name each certificate once; ${JSON.stringify(name)} is there twice`)
    identities.set(name, { name: `certificates/${name}`, role: role!, namespaces: namespaces && new Set(namespaces) })
  }
  return identities
}

const form =
  'must be dns:, uri:, email: or cn: and a name of a client certificate, = and a role (viewer, operator, editor, admin, worker), and @ with namespaces joined by + unless it has all, such as uri:spiffe://acme/ci=editor@shop+billing, separated by commas'

/** What Node tells of a certificate. */
export interface CertificateText {
  readonly subject?: { readonly CN?: string | readonly string[] }
  readonly subjectaltname?: string | undefined
}

const kinds: Readonly<Record<string, string>> = { DNS: 'dns', URI: 'uri', email: 'email' }

/** The names that it proves. One that Node puts into quotes, because it has characters that no name of these kinds has, is none. */
export function namesOf({ subject, subjectaltname }: CertificateText): string[] {
  const alternatives = (subjectaltname ?? '').match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? []
  const names = alternatives.flatMap((each) => {
    const [, kind = '', name = ''] = /^\s*([A-Za-z ]+):([^"]+)$/.exec(each) ?? []
    return kinds[kind] === undefined ? [] : [`${kinds[kind]}:${name}`]
  })
  return [...names, ...[subject?.CN ?? []].flat().map((name) => `cn:${name}`)]
}
