import type { Interceptor } from '@connectrpc/connect'
import { secret, text } from './config.ts'
import type { Logger } from './log.ts'
import { readSettingSecret } from './read-setting-file.ts'
import { WatchedFiles } from './watched-files.ts'

/** How a process that calls a control plane says who it is. */
export const controlPlaneCredentials = {
  controlPlaneToken: secret(
    'FERRY_CONTROL_PLANE_TOKEN',
    'Token of role WORKER that this worker shows to control planes ([docs/access.md](docs/access.md)). Empty: none. Better in a file: processes show their environment.',
  ),
  controlPlaneTokenFile: text('FERRY_CONTROL_PLANE_TOKEN_FILE', {
    default: '',
    description: 'File that has the token instead; a line feed at its end is left out. Read again when it changes.',
  }),
} as const

const env = controlPlaneCredentials.controlPlaneToken.env
const form = /^ferry_[A-Za-z0-9_-]{43}$/
const lookMs = 5000

interface Given {
  readonly controlPlaneToken: string
  readonly controlPlaneTokenFile: string
}

/** What is wrong with them, without a secret in it. */
export function findCredentialProblems({ controlPlaneToken, controlPlaneTokenFile }: Given): string[] {
  const problems: string[] = []
  const token = readSettingSecret(env, controlPlaneToken, controlPlaneTokenFile, problems)
  if (problems.length === 0 && token !== '' && !form.test(token)) problems.push(`${env}: must be ferry_ and 43 characters`)
  return problems
}

/** Puts the token, as it is now, into the header of every call. */
export function showToken({ controlPlaneToken, controlPlaneTokenFile: path }: Given, log: Logger): Interceptor {
  const token = tokenSource(controlPlaneToken, path, log)
  return (next) => (request) => {
    const now = token()
    if (now !== '') request.header.set('authorization', `Bearer ${now}`)
    return next(request)
  }
}

function tokenSource(given: string, path: string, log: Logger): () => string {
  if (path === '') return () => given
  const parse = ([content = '']: readonly string[]): string => {
    const token = content.replace(/\r?\n$/, '')
    if (!form.test(token)) throw new Error('the file has no token, which is ferry_ and 43 characters')
    return token
  }
  const files = { paths: [path], parse, intervalMs: lookMs, log, what: 'the token for control planes' }
  const watched = new WatchedFiles(files, [readSettingSecret(env, '', path, [])])
  return () => watched.current
}
