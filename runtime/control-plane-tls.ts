import { choice, text } from './config.ts'
import type { Logger } from './log.ts'
import { readTlsFiles, type TlsTexts, watchTlsFiles } from './tls-files.ts'

// How a process reaches control planes by TLS: a worker all of them, and a control plane the one that leads.

const file = (env: string, description: string) => text(env, { default: '', description })

/** Of everybody who calls a control plane. */
export const controlPlaneCa = {
  controlPlaneCaFile: file(
    'FERRY_CONTROL_PLANE_CA_FILE',
    "PEM file of the CA certificates that control planes' certificates are checked against. Empty: those that Node brings along. Read again when it changes.",
  ),
  controlPlaneServerName: text('FERRY_CONTROL_PLANE_SERVER_NAME', {
    default: '',
    pattern: /^[a-zA-Z0-9._-]*$/,
    form: 'the name of a host, or empty',
    description:
      "Name that control planes' certificates must have, where it is not the host that is called: for addresses, and balancers in between.",
  }),
} as const

/** Of workers. */
export const controlPlaneTls = {
  controlPlaneTls: choice('FERRY_CONTROL_PLANE_TLS', {
    of: ['off', 'on'],
    default: 'off',
    description: 'on: control planes are called by TLS, and their certificates are checked ([docs/access.md](docs/access.md)).',
  }),
  ...controlPlaneCa,
  controlPlaneCertificateFile: file(
    'FERRY_CONTROL_PLANE_CERTIFICATE_FILE',
    'PEM file of the certificate that this worker shows to control planes (mTLS), with what lies between it and the CA. Read again when it changes.',
  ),
  controlPlaneKeyFile: file('FERRY_CONTROL_PLANE_KEY_FILE', 'PEM file of its private key, not encrypted.'),
} as const

const names = {
  ...{ ca: controlPlaneCa.controlPlaneCaFile.env, cert: controlPlaneTls.controlPlaneCertificateFile.env },
  key: controlPlaneTls.controlPlaneKeyFile.env,
}

/** What a connection is made with. */
export type ControlPlaneWay = TlsTexts & { readonly serverName: string }

export interface ControlPlaneTls {
  readonly controlPlaneTls: 'off' | 'on'
  readonly controlPlaneCaFile: string
  readonly controlPlaneServerName: string
  readonly controlPlaneCertificateFile?: string
  readonly controlPlaneKeyFile?: string
}

const pathsOf = ({
  controlPlaneCaFile: ca,
  controlPlaneCertificateFile: cert = '',
  controlPlaneKeyFile: key = '',
}: ControlPlaneTls) => ({
  ...{ ca, cert, key },
})

export function findControlPlaneTlsProblems(given: ControlPlaneTls, switchedOnBy: string): string[] {
  const problems: string[] = []
  const paths = pathsOf(given)
  if (given.controlPlaneTls === 'on') readTlsFiles(names, paths, problems)
  else if ([...Object.values(paths), given.controlPlaneServerName].some((each) => each !== ''))
    problems.push(
      `FERRY_CONTROL_PLANE_ files or a server name are given, and control planes are not called by TLS: ${switchedOnBy}, or take them away`,
    )
  return problems
}

/** What a connection to a control plane is to be made with now: another object when files have changed, and undefined without TLS. */
export function reachControlPlanes(given: ControlPlaneTls, log: Logger): () => ControlPlaneWay | undefined {
  if (given.controlPlaneTls === 'off') return () => undefined
  const { controlPlaneServerName: serverName } = given
  const paths = pathsOf(given)
  if (Object.values(paths).every((path) => path === '')) {
    const fixed = { ca: '', cert: '', key: '', serverName }
    return () => fixed
  }
  let now: ControlPlaneWay | undefined
  const files = watchTlsFiles(names, paths, 'TLS to control planes', log, (texts) => {
    now = { ...texts, serverName }
  })
  now = { ...files.current, serverName }
  return () => now
}
