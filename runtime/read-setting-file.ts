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
