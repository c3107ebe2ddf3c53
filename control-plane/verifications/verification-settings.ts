import { duration, secret, text, wholeNumber } from '../../runtime/config.ts'
import { readSettingSecret } from '../../runtime/read-setting-file.ts'
import { CertificateKeys, readCertificateKeys } from './certificate-keys.ts'

/** What a control plane reads of verifications and certificates. */
export const verificationSettings = {
  verifyOffsetsMax: wholeNumber('FERRY_VERIFY_OFFSETS_MAX', {
    default: '10000000',
    min: 1000,
    max: 1_000_000_000,
    description: 'Offsets that one call of VerifyRange counts; CreateVerification counts more, beside its call.',
  }),
  verificationsMax: wholeNumber('FERRY_VERIFICATIONS_MAX', {
    default: '100',
    min: 1,
    max: 10_000,
    description: 'Verifications that may wait or be counted at once; further ones are refused.',
  }),
  verificationsAtOnce: wholeNumber('FERRY_VERIFICATIONS_AT_ONCE', {
    default: '2',
    min: 1,
    max: 100,
    description: 'Verifications that are counted side by side; the others wait for their turn.',
  }),
  verificationTimeoutMs: duration('FERRY_VERIFICATION_TIMEOUT', {
    default: '1h',
    minMs: 1000,
    maxMs: 86_400_000,
    description: 'A verification that is not counted after so long has failed.',
  }),
  verificationsKeptMax: wholeNumber('FERRY_VERIFICATIONS_KEPT_MAX', {
    default: '100',
    min: 1,
    max: 10_000,
    description: 'Verifications of a use case that are remembered; older ones that have ended are forgotten.',
  }),
  verificationsKeptMs: duration('FERRY_VERIFICATIONS_KEPT', {
    default: '30d',
    minMs: 60_000,
    maxMs: 400 * 86_400_000,
    description: 'A verification is forgotten after so long. Its certificate may be archived for ever.',
  }),
  expectedWindowsMax: wholeNumber('FERRY_EXPECTED_WINDOWS_MAX', {
    default: '100000',
    min: 1,
    max: 10_000_000,
    description: 'Windows that producers may have reported of a use case in the last 400 days; further ones are refused.',
  }),
  certificateKey: secret(
    'FERRY_CERTIFICATE_KEY',
    'Ed25519 private key in PEM that signs certificates. Empty: they are not signed. Better in a file. The same for all control planes ([docs/verify.md](docs/verify.md)).',
  ),
  certificateKeyFile: text('FERRY_CERTIFICATE_KEY_FILE', {
    default: '',
    description: 'File that has it instead; public keys of earlier ones may follow in it. Read at the start.',
  }),
}

interface KeySettings {
  readonly certificateKey: string
  readonly certificateKeyFile: string
}

/** The keys of the environment or of the file, or what is wrong with them. */
export function readCertificateSettings({ certificateKey, certificateKeyFile }: KeySettings): {
  readonly keys: CertificateKeys
  readonly problems: readonly string[]
} {
  const problems: string[] = []
  const none = new CertificateKeys(undefined, [])
  const env = 'FERRY_CERTIFICATE_KEY'
  const pem = readSettingSecret(env, certificateKey, certificateKeyFile, problems)
  if (problems.length > 0) return { keys: none, problems }
  try {
    return { keys: readCertificateKeys(pem), problems }
  } catch (error) {
    const given = certificateKeyFile === '' ? env : `${env}_FILE=${JSON.stringify(certificateKeyFile)}`
    return { keys: none, problems: [`${given}: ${(error as Error).message}`] }
  }
}
