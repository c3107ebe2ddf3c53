import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { usageError } from '../cli-error.ts'

export interface SourceFile {
  /** As it was given; `(standard input)` for `-`. */
  readonly name: string
  /** What paths in it start from. */
  readonly dir: string
  readonly text: string
}

const manifestName = /\.(ya?ml|json)$/

/** Files as they are; of folders all .yaml, .yml and .json, also in those below, by name; `-` is standard input. */
export async function readFiles(paths: readonly string[], readStdin: () => Promise<string>): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  for (const path of paths) {
    if (path === '-') files.push({ name: '(standard input)', dir: '.', text: await readStdin() })
    else files.push(...readPath(path))
  }
  return files
}

function readPath(path: string): SourceFile[] {
  try {
    if (!statSync(path).isDirectory()) return [fileOf(path)]
    const entries = readdirSync(path, { recursive: true, withFileTypes: true })
    const paths = entries
      .filter((entry) => entry.isFile() && manifestName.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((each) => !/(^|[/\\])(\.[^./\\]|node_modules)/.test(each.slice(path.length)))
    if (paths.length === 0) throw usageError(`${path} has no .yaml, .yml or .json file`)
    return paths.sort().map(fileOf)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw usageError(code === 'ENOENT' ? `there is no file ${path}` : `cannot read ${path}: ${(error as Error).message}`)
  }
}

const fileOf = (path: string): SourceFile => ({ name: path, dir: join(path, '..'), text: readFileSync(path, 'utf8') })
