/** What an operator can do when a question about a batch is too large for the log. */
export const narrow = 'Narrow the filter: give a partition with offsets, or from_time and to_time'
