import { readFile, writeFile } from 'node:fs/promises'
import { type AccessRule, readAccessRules } from '../control-plane/access/access-rule.ts'
import { allServices } from '../control-plane/access/all-services.ts'
import { RoleSchema, Scope } from '../proto/gen/ferry/v1/access_pb.ts'

const path = new URL('../docs/access.md', import.meta.url)

const scopeWords: Readonly<Record<number, (field: string) => string>> = {
  [Scope.NAMED]: (field) => `the namespace that \`${field}\` names`,
  [Scope.LISTED]: (field) => `the namespace that \`${field}\` names; without one, those of the caller`,
  [Scope.SHARED]: () => 'any',
  [Scope.WHOLE]: () => 'all: only who has `*`',
}

const row = (method: string, { role, scope, path: fields }: AccessRule): string =>
  `| ${method} | ${RoleSchema.value[role]!.name.replace('ROLE_', '').toLowerCase()} | ${scopeWords[scope]!(fields.map(({ name }) => name).join('.'))} |`

/** docs/access.md as it should be: its table of methods is made of the contract. */
export async function withMethods(page: string): Promise<string> {
  const rows = [...readAccessRules(await allServices())].map(([method, rule]) =>
    row(`${method.parent.name}.${method.name}`, rule),
  )
  const table = ['| method | least role | namespace |', '|---|---|---|', ...rows].join('\n')
  return page.replace(/(<!-- methods -->\n)[\s\S]*?(<!-- end -->)/, (_, start, end) => `${start}\n${table}\n\n${end}`)
}

export const readAccessPage = (): Promise<string> => readFile(path, 'utf8')

// `node test/access-table.ts` writes it.
if (process.argv[1] === import.meta.filename) await writeFile(path, await withMethods(await readAccessPage()))
