// The engine that tests run cannot keep roles (docs/decisions/0001), but it takes users from a file: this writes what the statements of
// analysts.sql say in that file's words.

/** Statements of a file, without its comments. */
export const statementsOf = (sql: string): string[] =>
  sql
    .replaceAll(/^--.*$/gm, '')
    .split(';')
    .map((each) => each.trim())
    .filter((each) => each !== '')

const tag = (name: string, content: string): string => `<${name}>${content}</${name}>`

/** A users.xml with the user `analyst`, who has the profile, the quota and the grants of the role. */
export function usersFile(sql: string): string {
  const statements = statementsOf(sql)
  const grants = statements.filter((each) => each.startsWith('GRANT')).map((each) => each.replace(/ TO \w+$/, ''))
  const profile = statements.find((each) => each.startsWith('CREATE SETTINGS PROFILE'))!.split(' SETTINGS\n')[1]!
  const settings = profile.split(',').map((each) => /(\w+) = (\d+)(?: MAX (\d+))?/.exec(each)!)
  const values = settings.map(([, name, value]) => tag(name!, value!)).join('')
  const limits = settings.flatMap(([, name, , max]) => (max === undefined ? [] : [tag(name!, tag('max', max))])).join('')
  const quota = statements.find((each) => each.startsWith('CREATE QUOTA'))!
  const seconds = { minute: 60, hour: 3600 } as const
  const intervals = [...quota.matchAll(/INTERVAL 1 (minute|hour) MAX (\w+) = (\d+)/g)]
    .map(([, unit, name, max]) => tag('interval', tag('duration', String(seconds[unit as 'minute'])) + tag(name!, max!)))
    .join('')
  const user = (name: string, uses: string, more: string): string =>
    tag(name, `<password></password><networks><ip>::/0</ip></networks>${tag('profile', uses)}${tag('quota', uses)}${more}`)
  return tag(
    'clickhouse',
    tag('profiles', `<default></default>${tag('analyst', values + tag('constraints', limits))}`) +
      tag('quotas', `<default></default>${tag('analyst', intervals)}`) +
      tag(
        'users',
        user('default', 'default', '') +
          user('analyst', 'analyst', tag('grants', grants.map((each) => tag('query', each)).join(''))),
      ),
  )
}
