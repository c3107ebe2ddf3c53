-- A takeover counts an end only when its attempt is in the log as well (docs/decisions/0002), unless that has expired: the outcome
-- says when it does. Outcomes of before say 1970, which means the same.

ALTER TABLE outcomes ADD COLUMN IF NOT EXISTS expire_time DateTime('UTC') CODEC(Delta, ZSTD(1))
;

ALTER TABLE attempt_inserts_to_outcomes MODIFY QUERY
SELECT uid, cluster, topic, partition, replay, offset, round, epoch, attempt, outcome, reason, status, retry_batch, key_hash,
    attempt_time + toIntervalMillisecond(intDiv(latency_us, 1000)) AS end_time, record_time, expire_time,
    if(outcome = 'DELIVERED', '', leftUTF8(if(error != '', error, response_body), 200)) AS text
FROM attempt_inserts
WHERE outcome != 'RETRY' AND purpose = 'DELIVER'
