import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** What is in the file that a setting names; '' when there is none, or when it cannot be read. */
export function readSettingFile(env: string, path: string, problems: string[]): string {
  if (path === '') return ''
  try {
    const content = readFileSync(path, 'utf8')
    if (content.trim() === '') problems.push(`${env}=${JSON.stringify(path)}: the file is empty`)
    return content
  } catch (error) {
    problems.push(`${env}=${JSON.stringify(path)}: the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`)
    return ''
  }
}

/** A secret, or what is in the file of env_FILE. */
export function readSettingSecret(env: string, value: string, path: string, problems: string[]): string {
  if (value !== '' && path !== '') problems.push(`${env} and ${env}_FILE are both given: take one away`)
  return value || readSettingFile(`${env}_FILE`, path, problems).replace(/\r?\n$/, '')
}

/** The certificate of a file's text; undefined without a text, or when there is none in it. */
export function readCertificate(env: string, pem: string, problems: string[]): X509Certificate | undefined {
  try {
    return pem === '' ? undefined : new X509Certificate(pem)
  } catch {
    problems.push(`${env}: the file has no certificate in PEM (-----BEGIN CERTIFICATE-----)`)
    return undefined
  }
}
