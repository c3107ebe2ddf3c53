import type { KafkaClusterConfig } from './kafka-clusters.ts'
import { prefixOf } from './kafka-settings.ts'

// What keeps a process from a cluster, and what to do about it: by OpenSSL's and Node's error codes, and by kafkajs' error names.

const untrusted = new Set([
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_UNTRUSTED', 'INVALID_CA', 'CERT_SIGNATURE_FAILURE'],
])
const alerts =
  /alert (bad certificate|certificate required|unknown ca|certificate expired|handshake failure|certificate unknown)/i

interface Fault {
  readonly name: string
  readonly message: string
  readonly code: string
}

/** The error that began it: kafkajs wraps it some times. */
function firstCause(error: unknown): Fault {
  let each = error as { name?: string; message?: string; code?: unknown; cause?: unknown }
  for (let depth = 0; depth < 8 && each.cause instanceof Error; depth++) each = each.cause as typeof each
  return { name: each.name ?? '', message: each.message ?? String(each), code: typeof each.code === 'string' ? each.code : '' }
}

/** Why a question to a cluster has failed, in words that say what to do where that is known. */
export function describeKafkaFault({ name: cluster, tls, sasl }: Omit<KafkaClusterConfig, 'brokers'>, error: unknown): string {
  const { name, message, code } = firstCause(error)
  const prefix = prefixOf(cluster)
  const advice = (text: string): string => `${message}: ${text}`
  if (name === 'KafkaJSSASLAuthenticationError' || /^SASL /.test(message)) return advice(saslAdvice(prefix, sasl, message))
  if (/OAuth server at/.test(message))
    return advice(`look at ${prefix}OAUTH_TOKEN_URL, ${prefix}SASL_USERNAME and ${prefix}SASL_PASSWORD`)
  if (untrusted.has(code))
    return advice(`no CA that this process trusts has signed the broker's certificate: give its CA in ${prefix}TLS_CA_FILE`)
  if (code === 'CERT_HAS_EXPIRED') return advice("the broker's certificate, or its CA's, has expired: renew it there")
  if (code === 'CERT_NOT_YET_VALID') return advice("the broker's certificate is not valid yet: look at the clocks")
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return advice(
      `the broker's certificate is for another name than its address: name it as its certificate does in ${prefix}BROKERS and in its advertised.listeners`,
    )
  if (alerts.test(message)) return advice(certificateAdvice(prefix, tls))
  if (/wrong version number|packet length too long|SSL_WRONG_VERSION/i.test(message))
    return advice(`the broker does not speak TLS at this port: take the port of its TLS listener, or set ${prefix}TLS to off`)
  if (
    /ILLEGAL_SASL_STATE|closed connection|connection closed by the server|ECONNRESET|socket disconnected before secure/i.test(
      message,
    )
  )
    return advice(closedAdvice(prefix, tls, sasl))
  return message
}

function saslAdvice(prefix: string, sasl: KafkaClusterConfig['sasl'], message: string): string {
  return /is not supported by the server/.test(message)
    ? `the broker's listener does not offer it: set ${prefix}SASL_MECHANISM to one that it has in sasl.enabled.mechanisms`
    : sasl?.mechanism === 'OAUTHBEARER'
      ? `the broker does not accept the token of client ${JSON.stringify(sasl.username)}`
      : `look at ${prefix}SASL_USERNAME (${JSON.stringify(sasl?.username ?? '')}), ${prefix}SASL_PASSWORD and ${prefix}SASL_MECHANISM (${sasl?.mechanism})`
}

const certificateAdvice = (prefix: string, tls: KafkaClusterConfig['tls']): string =>
  tls?.cert === undefined
    ? `the broker asks for a certificate: give one in ${prefix}TLS_CERTIFICATE_FILE, and its key in ${prefix}TLS_KEY_FILE`
    : `the broker does not accept the certificate in ${prefix}TLS_CERTIFICATE_FILE: it must be valid now, and of a CA that the broker trusts`

/** A broker says no more than this when it is spoken to in another way than it expects. */
function closedAdvice(prefix: string, tls: KafkaClusterConfig['tls'], sasl: KafkaClusterConfig['sasl']): string {
  const ways = [
    ...(tls === undefined ? [`the listener wants TLS (${prefix}TLS=on)`] : []),
    ...(tls !== undefined && tls.cert === undefined ? [`it wants a certificate (${prefix}TLS_CERTIFICATE_FILE)`] : []),
    ...(sasl === undefined ? [`it wants SASL (${prefix}SASL_MECHANISM)`] : []),
  ]
  return ways.length === 0
    ? 'the broker has closed the connection'
    : `the broker has closed the connection. If it does so always: ${ways.join(', or ')}`
}
