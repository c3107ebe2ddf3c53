/** What `:lane` in Redis says of its fence; epoch 0 and owner empty before the first claim. */
export interface StoredFence {
  readonly epoch: number
  readonly owner: string
}

/** The last assignment of a lane that a leader wrote down. It may have been claimed, told and not claimed, or never told. */
export interface StoredGrant {
  readonly epoch: number
  readonly instance: string
}

/**
 * Who may hold a lane, by what a leader before has left: the last one it was given to, or its last owner when that is newer.
 * No earlier one can: a lane is given again only after its holder let go or was expelled.
 */
export function possibleHolder(
  fence: StoredFence | undefined,
  grant: StoredGrant | undefined,
): { epoch: number; holder: string | undefined } {
  const epoch = Math.max(fence?.epoch ?? 0, grant?.epoch ?? 0)
  if (grant !== undefined && grant.epoch === epoch) return { epoch, holder: grant.instance }
  return { epoch, holder: fence === undefined || fence.owner === '' ? undefined : fence.owner }
}
