import type { JsonValue } from '@bufbuild/protobuf'
import { paints } from '../output/paint.ts'
import { formatted, parseFormat } from '../output/show.ts'
import { table } from '../output/table.ts'
import { type GlobalFlags, readConfigFile } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

/** The contexts of the config file. Asks no server. */
export async function contexts(terminal: Terminal, flags: GlobalFlags): Promise<void> {
  const file = await readConfigFile(flags, terminal.env)
  const format = parseFormat(flags.output)
  const used = flags.context ?? (terminal.env['FERRY_CONTEXT'] || file?.current)
  const rows = Object.entries(file?.contexts ?? {}).map(([name, context]) => ({ name, ...context, used: name === used }))
  if (format !== 'table') return terminal.out(await formatted(rows as unknown as JsonValue, format))
  if (rows.length === 0) return terminal.err('there is no context; docs/cli.md shows how to write some\n')
  const paint = paints(terminal.colours)
  terminal.out(
    table(
      [
        { title: '', of: ({ used }) => (used ? '*' : ''), paint: paint.good },
        { title: 'CONTEXT', of: ({ name }) => name },
        { title: 'ADDRESS', of: ({ address = '' }) => address },
        { title: 'NAMESPACE', of: ({ namespace = '' }) => namespace },
      ],
      rows,
      terminal.width,
    ),
  )
}
