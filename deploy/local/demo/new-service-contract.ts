/** How the new service is started. */
export interface NewServiceOptions {
  /** Its SQLite file. */
  readonly file: string
  /** Ids go from 1 to this. */
  readonly rows: number
  readonly port: number
  /** For GET /stats and POST /fix; open also while the service is down. */
  readonly controlPort: number
  /** It goes down when it has so many rows, for so long. */
  readonly outage: { readonly afterRows: number; readonly ms: number }
}

/** What the new service counts. */
export interface NewServiceStats {
  requests: number
  /** Rows that it has, each counted once. */
  rows: number
  /** Requests for rows that it had already, from a lane of another epoch than the first one. */
  repeatedByNextOwner: number
  /** The same, from the lane of the same epoch. */
  repeatedBySameOwner: number
  /** Answers 503. */
  busy: number
  /** Answers 422. */
  refused: number
  /** Answers 400. */
  invalid: number
  outages: number
  isUp: boolean
}
