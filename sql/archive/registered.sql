-- What is registered of model $1, if its digest is $2; who has registered it stays here.
SELECT (to_jsonb(m) - 'registered_by')::text FROM socle.model m WHERE m.name = $1 AND m.digest = $2
