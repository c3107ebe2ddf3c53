import { createPrivateKey } from 'node:crypto'
import type { Logger } from './log.ts'
import { readCertificate, readSettingFile } from './read-setting-file.ts'
import { WatchedFiles } from './watched-files.ts'

/** PEM texts; '' for one that is not given. */
export interface TlsTexts {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** What each of them is called in the environment. */
export type TlsNames = { readonly [K in keyof TlsTexts]: string }

/** Where they are; '' for one that is not given. */
export type TlsPaths = { readonly [K in keyof TlsTexts]: string }

/** What they hold, and everything that is wrong with it. Nothing of a key is printed, nor what its parser says of it. */
export function readTlsFiles(names: TlsNames, paths: TlsPaths, problems: string[]): TlsTexts {
  if ((paths.cert === '') !== (paths.key === '')) problems.push(`${names.cert} and ${names.key} must be given both, or neither`)
  const ca = readSettingFile(names.ca, paths.ca, problems)
  const cert = readSettingFile(names.cert, paths.cert, problems)
  const key = readSettingFile(names.key, paths.key, problems)
  checkPem(names, { ca, cert, key }, problems)
  return { ca, cert, key }
}

function checkPem(names: TlsNames, { ca, cert, key }: TlsTexts, problems: string[]): void {
  readCertificate(names.ca, ca, problems)
  const certificate = readCertificate(names.cert, cert, problems)
  if (key === '') return
  try {
    const privateKey = createPrivateKey(key)
    if (certificate !== undefined && !certificate.checkPrivateKey(privateKey))
      problems.push(`${names.key}: the key is not the one of the certificate in ${names.cert}`)
  } catch {
    problems.push(`${names.key}: the file has no private key in PEM, or it is encrypted (openssl pkey decrypts it)`)
  }
}

const kinds = ['ca', 'cert', 'key'] as const
const lookMs = 5000

/**
 * The same files while the process runs: `changed` is called with what they hold when that is something else, and fits together. They were
 * read without a problem at the start.
 */
export function watchTlsFiles(
  names: TlsNames,
  paths: TlsPaths,
  what: string,
  log: Logger,
  changed?: (texts: TlsTexts) => void,
): WatchedFiles<TlsTexts> {
  const given = kinds.filter((kind) => paths[kind] !== '')
  const parse = (contents: readonly string[]): TlsTexts => {
    const texts = { ca: '', cert: '', key: '', ...Object.fromEntries(given.map((kind, at) => [kind, contents[at]])) }
    const problems: string[] = []
    checkPem(names, texts, problems)
    if (given.some((kind) => texts[kind] === '')) problems.push('a file is empty')
    if (problems.length > 0) throw new Error(problems.join('; '))
    return texts
  }
  const files = { paths: given.map((kind) => paths[kind]), parse, intervalMs: lookMs, what, log, ...(changed && { changed }) }
  return new WatchedFiles(
    files,
    given.map((kind) => readSettingFile(names[kind], paths[kind], [])),
  )
}
