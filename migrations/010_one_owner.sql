-- One write of an object is one recording's, even where two functions capture it at once and judge it differently (their
-- clocks differ, or a start was heard in between). Listings have milliseconds in some stores, headers never: the second.

UPDATE recording_segments s SET state = 'rejected', reason = 'DUPLICATE: the same object is in another recording'
 WHERE s.state IN ('captured', 'late')
   AND EXISTS (SELECT 1 FROM recording_segments o
                WHERE o.source_key = s.source_key AND o.source_etag = s.source_etag AND o.id < s.id
                  AND o.state IN ('captured', 'late')
                  AND date_trunc('second', o.source_modified_at) = date_trunc('second', s.source_modified_at));

CREATE UNIQUE INDEX uq_segments_write
    ON recording_segments (source_key, source_etag, date_trunc('second', source_modified_at AT TIME ZONE 'UTC'))
    WHERE state IN ('captured', 'late');
