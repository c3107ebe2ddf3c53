// Process of its own: ClickHouse's engine, a shared library, run as `clickhouse local` with its own HTTP listener.
// Started with EngineOptions as JSON. Ends when standard input closes, or at once on SIGTERM and SIGINT.
import { fileURLToPath } from 'node:url'
import { DataType, load, open } from 'ffi-rs'

export interface EngineOptions {
  readonly dir: string
  readonly port: number
  readonly configFile: string
}

const library = 'chdb'

function engineArgs({ dir, port, configFile }: EngineOptions): string[] {
  return [
    'clickhouse',
    `--config-file=${configFile}`,
    `--path=${dir}`,
    '--listen_host=127.0.0.1',
    `--http_port=${port}`,
    // The listener lives as long as the command's query: one that counts lines of a standard input on which none come.
    '--structure=line String',
    '--input-format=LineAsString',
    '--multiquery',
    '--query=SYSTEM START LISTEN HTTP; SELECT count() FROM table FORMAT Null',
  ]
}

async function runEngine(options: EngineOptions): Promise<void> {
  open({ library, path: fileURLToPath(import.meta.resolve('@chdb/lib-linux-x64-gnu/libchdb.so')) })
  const off = { paramsType: [DataType.I32], paramsValue: [0] }
  load({ library, funcName: 'chdb_set_signal_handlers_enabled', retType: DataType.Void, ...off })
  // An orderly end would wait for the read of standard input, which nothing can interrupt. A kill loses no acknowledged insert.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.kill(process.pid, 'SIGKILL'))
  const args = engineArgs(options)
  const result = await load({
    library,
    funcName: 'chdb_query_cmdline',
    runInNewThread: true,
    retType: DataType.External,
    paramsType: [DataType.I32, DataType.StringArray],
    paramsValue: [args.length, args],
  })
  const one = { paramsType: [DataType.External], paramsValue: [result] }
  const problem = load({ library, funcName: 'chdb_result_error', retType: DataType.String, ...one })
  if (problem) console.error(problem)
  process.exit(problem ? 1 : 0)
}

await runEngine(JSON.parse(process.argv[2] ?? '{}'))
