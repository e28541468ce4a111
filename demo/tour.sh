# shellcheck shell=bash disable=SC2154 # dim, plain and psql are run.sh's
# The tour through the corpus: sourced by run.sh, which has "step", "show" and "query". Changes nothing that it does not
# change back.

step 'A question in French, answered by meaning and by words'
show hit <<'SQL'
SELECT title, page, snippet, score, vector_score, keyword_score,
       source_key ->> 'file_name' AS file
FROM socle.search('handbook', 'Comment sauvegarder un serveur et restaurer ses données ?',
                  result_limit => 2, group_by_document => true, marks => '{**,**}')
SQL

step 'The same corpus in English, reranked by a cross-encoder'
show hit <<'SQL'
SELECT title, page, snippet, score, vector_score, keyword_score,
       source_key ->> 'file_name' AS file
FROM socle.search('handbook', 'How can a disk be replaced in a software RAID?',
                  result_limit => 2, rerank_model => 'reranker', marks => '{**,**}')
SQL

step 'A question in French, passages in English: one space of meanings'
show hit <<'SQL'
SELECT title, page, snippet, score, vector_score, keyword_score,
       source_key ->> 'file_name' AS file
FROM socle.search('handbook', 'Comment configurer un pare-feu ?', mode => 'vector',
                  result_limit => 1, filter => '{"language": "english"}', marks => '{**,**}')
SQL

step 'A PDF: the hit names its page'
show hit <<'SQL'
SELECT title, page, snippet, score, vector_score, keyword_score,
       source_key ->> 'file_name' AS file
FROM socle.search('handbook', 'What happens on the first Tuesday of each quarter?',
                  result_limit => 1, marks => '{**,**}')
SQL

step 'A change is found a moment later'
printf '%s' "$dim"
cat <<'END'
  INSERT INTO file (file_name, data) VALUES ('/notes/en/coffee.md', '# Coffee machine …');
END
printf '%s\n' "$plain"
query "DELETE FROM file WHERE file_name LIKE '/notes/%'"
query "INSERT INTO file (file_name, media_type, data, title) VALUES ('/notes/en/coffee.md', 'text/markdown',
       convert_to(E'# Coffee machine\n\nThe coffee machine on the third floor is descaled every second Thursday.', 'UTF8'), 'Coffee machine')"
waited=$("${psql[@]}" <<'SQL'
SELECT clock_timestamp() AS begun \gset
SELECT socle.wait_for_corpus('handbook') AS done \gset
SELECT round(extract(epoch FROM clock_timestamp() - :'begun'::timestamptz) * 1000) || ' ms';
SQL
)
printf '  Indexed %s after the commit.\n\n' "$waited"
show hit <<'SQL'
SELECT title, page, snippet, score, vector_score, keyword_score,
       source_key ->> 'file_name' AS file
FROM socle.search('handbook', 'When is the coffee machine descaled?',
                  result_limit => 1, marks => '{**,**}')
SQL
query "DELETE FROM file WHERE file_name LIKE '/notes/%'"
printf '\n  Deleted again: %s hits in that file from that moment on.\n' \
  "$(PGOPTIONS='-c client_min_messages=warning' query "SELECT count(*) FROM socle.search('handbook', 'When is the coffee machine descaled?')
                                                       WHERE source_key ->> 'file_name' LIKE '/notes/%'")"

step 'A reader under row security sees less'
printf '  The owner asks, who may read everything:\n\n'
show hit <<'SQL'
SELECT title, page, snippet, score, vector_score, keyword_score,
       source_key ->> 'file_name' AS file
FROM socle.search('handbook', 'Wo liegt das Kennwort für den Tresor?',
                  result_limit => 1, marks => '{**,**}')
SQL
printf '\n  The same as demo_reader, for whom the policy on the files hides what is confidential:\n\n'
show hit demo_reader <<'SQL'
SELECT title, page, snippet, score, vector_score, keyword_score,
       source_key ->> 'file_name' AS file
FROM socle.search('handbook', 'Wo liegt das Kennwort für den Tresor?',
                  result_limit => 1, marks => '{**,**}')
SQL

step 'Why a passage is where it is'
show line <<'SQL'
SELECT step, milliseconds, detail
FROM socle.explain_search('handbook', 'How can a disk be replaced in a software RAID?',
                          result_limit => 2, rerank_model => 'reranker')
SQL

step 'Measured on ten questions with known answers'
show measure <<'SQL'
SELECT mode, ndcg, recall, median_milliseconds
FROM socle.evaluate('handbook', queries => 'question', judgments => 'judgment', k => 5)
SQL

step 'An answer in sentences of the documents, and its citations, checked'
show answer <<'SQL'
SELECT answer, declined, reason
FROM socle.answer('handbook', 'How can a disk be replaced in a software RAID?',
                  mode => 'extractive', max_sentences => 2)
SQL
printf '\n'
show citation <<'SQL'
SELECT c ->> 'number' AS number, c -> 'source_key' ->> 'file_name' AS file, place.*
FROM socle.answer('handbook', 'How can a disk be replaced in a software RAID?',
                  mode => 'extractive', max_sentences => 2),
     jsonb_array_elements(citations) AS c, socle.cite(c) AS place
SQL

step 'What the documents do not say is declined'
show answer <<'SQL'
SELECT answer, declined, reason
FROM socle.answer('handbook', 'Who painted the ceiling of the Sistine Chapel?',
                  mode => 'extractive')
SQL

step 'A language model on this machine writes; sentences that no passage supports are removed'
if query "SELECT socle.register_generator('smol', 'smollm2-135m-instruct/model.gguf', license => 'Apache-2.0')
          WHERE NOT EXISTS (SELECT FROM socle.generator WHERE name = 'smol')" >/dev/null 2>&1; then
  show answer <<'SQL'
SELECT answer, declined, reason, grounded
FROM socle.answer('handbook', 'What is SELinux?', 'smol',
                  max_tokens => 60, context_tokens => 300)
SQL
  printf '\n  SmolLM2 with 135 million parameters is a toy that shows that everything works.\n'
else
  printf '  SKIPPED: no generator is installed (make install-models).\n'
fi
