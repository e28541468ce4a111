-- What a trigger or a policy of the owner has kept from being deleted.
SELECT EXISTS (SELECT FROM {chunk} k WHERE {is_it}) OR EXISTS (SELECT FROM {document} k WHERE {is_it})
    OR EXISTS (SELECT FROM {change} k WHERE {is_it})
