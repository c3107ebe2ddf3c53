import { join } from 'node:path'

/** What a package has in place of TypeScript, which Node does not run from node_modules; `--dir` says where else than cli/dist. */
export default {
  input: join(import.meta.dirname, 'main.ts'),
  platform: 'node',
  output: { dir: join(import.meta.dirname, 'dist'), format: 'esm' },
}
