-- Number of chunks that the caller may see and the filter lets through, at most {most} of each group.
SELECT coalesce(sum(least(g.chunk_count, {most})), 0)::bigint FROM (
    SELECT count(*) AS chunk_count FROM {source} s JOIN {chunk} k ON {same k s} WHERE {condition} GROUP BY {group keys}) AS g
