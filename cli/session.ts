import type { DescMessage, JsonValue, MessageShape } from '@bufbuild/protobuf'
import type { Ferry } from './connect.ts'
import { useCaseName } from './names.ts'
import { type Paints, paints } from './output/paint.ts'
import { formatted, jsonOf, type OutputFormat } from './output/show.ts'
import type { Column } from './output/table.ts'
import { table } from './output/table.ts'
import type { Settings } from './settings.ts'
import type { Terminal } from './terminal.ts'

/** What a command has in hand. */
export interface Session {
  readonly ferry: Ferry
  readonly settings: Settings
  readonly terminal: Terminal
  readonly format: OutputFormat
  readonly paint: Paints
  nowMs(): number
  /** A use case's whole name, of whatever the caller wrote. */
  nameOf(text: string): string
  /** Prints one message: by `human`, or as JSON or YAML. */
  show<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>, human: () => string | Promise<string>): Promise<void>
  /** Prints a list; `none` is said on standard error when it is empty. */
  list<Desc extends DescMessage>(
    desc: Desc,
    items: readonly MessageShape<Desc>[],
    of: ListView<MessageShape<Desc>>,
  ): Promise<void>
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string
}

export interface ListView<Row> {
  readonly columns: readonly Column<Row>[]
  readonly none: string
  /** Leave fields out that are not set. */
  readonly sparse?: boolean
}

export function openSession(ferry: Ferry, settings: Settings, terminal: Terminal, format: OutputFormat): Session {
  const print = async (value: JsonValue): Promise<void> => {
    terminal.out(await formatted(value, format === 'yaml' ? 'yaml' : 'json'))
  }
  const shape: Session['table'] = (columns, rows) => table(columns, rows, terminal.width)
  return {
    ferry,
    settings,
    terminal,
    format,
    paint: paints(terminal.colours),
    nowMs: () => Date.now(),
    nameOf: (text) => useCaseName(text, settings.namespace),
    async show(desc, message, human) {
      if (format === 'table') terminal.out(await human())
      else await print(jsonOf(desc, message))
    },
    async list(desc, items, { columns, none, sparse = false }) {
      if (format !== 'table') await print(items.map((item) => jsonOf(desc, item, sparse)))
      else if (items.length === 0) terminal.err(`${none}\n`)
      else terminal.out(shape(columns, items))
    },
    table: shape,
  }
}
