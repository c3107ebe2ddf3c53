const queryMsMax = 60_000

/** ClickHouse over plain HTTP, in one database. */
export class Sql {
  readonly #url: string
  readonly #serverUrl: string
  readonly #database: string

  constructor(clickhouseUrl: string, database: string) {
    this.#serverUrl = clickhouseUrl
    this.#database = database
    this.#url = `${clickhouseUrl}/?database=${database}&output_format_json_quote_64bit_integers=0`
  }

  run(statement: string): Promise<string> {
    return this.#post(this.#url, statement)
  }

  async dropDatabase(): Promise<void> {
    await this.#post(this.#serverUrl, `DROP DATABASE IF EXISTS ${this.#database}`)
  }

  async #post(url: string, statement: string): Promise<string> {
    const answer = await fetch(url, { method: 'POST', body: statement, signal: AbortSignal.timeout(queryMsMax) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`ClickHouse: ${text.slice(0, 500)}`)
    return text
  }

  /** Rows as objects. Numbers are numbers, also those of 64 bits: none here is above 2^53. */
  async rows<Row>(query: string): Promise<Row[]> {
    const text = await this.run(`${query} FORMAT JSONEachRow`)
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row)
  }

  async number(query: string): Promise<number> {
    return Number(await this.run(query))
  }
}
