-- Made by socle.create_search_function. Values of the key are read by the input functions of their types, never cast.
SELECT {results} FROM socle.search({call}) WITH ORDINALITY AS r
CROSS JOIN LATERAL jsonb_to_record(jsonb_build_object({pairs})) AS k ({keys})
ORDER BY r.ordinality
