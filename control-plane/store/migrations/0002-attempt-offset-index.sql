-- A delivery is looked up by its offset, and attempts are sorted by time. Within a partition offsets rise with time, so the bounds
-- of each granule find the few that may hold it: of 2.6 million attempts of a use case 57,000 are read instead of 1.3 million.

ALTER TABLE attempts ADD INDEX IF NOT EXISTS offset_bounds offset TYPE minmax GRANULARITY 1
