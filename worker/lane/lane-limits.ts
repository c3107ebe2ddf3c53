/** The lane's share of what is limited, as the control plane and the worker give it. */
export interface LaneLimits {
  parkedMax: number
  parkedBytesMax: number
  creditMax: number
  /** Bytes of fetches that may be in memory, waiting or on their way. */
  bufferBytesMax: number
}
