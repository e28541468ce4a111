#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# The main job from nothing: files on disk into a corpus, then what can be done with it, each step with the SQL that does it.
# PGHOST and PGUSER name the server, which has to be able to read the directories. Loads only what is missing, so it can be
# broken off and run again. "make demo" prepares what it needs.
set -euo pipefail
shopt -s inherit_errexit
umask 022 # the server reads the PDF files

psql=${1:?path of psql} handbook=${2:?directory of the handbook} papers=${3:?directory for the PDF files of the demo}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PGDATABASE=demo PGCLIENTENCODING=UTF8
psql=("$psql" --no-psqlrc --quiet --no-align --tuples-only --pset=pager=off --set=ON_ERROR_STOP=1)

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
  interactive=1 bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
else
  interactive='' bold='' dim='' plain=''
fi

query() {
  "${psql[@]}" --command="$1"
}

# In a terminal, the words of the query are bold.
marked() {
  if [ -n "$interactive" ]; then sed -E "s/\*\*([^*]+)\*\*/$bold\1$plain/g"; else cat; fi
}

step() {
  number=$((${number:-0} + 1))
  printf '\n%s%s  %s%s\n\n' "$bold" "$number" "$1" "$plain"
}

# show FORMAT [ROLE]: prints the SQL from stdin as it can be typed, runs it, and prints each row by demo.FORMAT.
show() {
  local sql separator=$'\n'
  sql=$(cat)
  if [ "$1" = hit ]; then separator=$'\n\n'; fi
  printf '%s%s;%s\n\n' "$dim" "  ${sql//$'\n'/$'\n'  }" "$plain"
  # Notices about a change that waits, or about a generator, belong to the result.
  "${psql[@]}" --record-separator="$separator" ${2:+--command="SET ROLE $2"} \
    --command="SELECT t FROM (SELECT demo.$1(to_jsonb(s), row_number() OVER ()) AS t FROM ($sql) AS s) AS f WHERE t IS NOT NULL" | marked
}

# bar DONE TOTAL SECONDS: one line that is written over in a terminal; elsewhere a line for each quarter.
bar() {
  local percent=$((100 * $1 / $2)) filled rest=''
  filled=$((percent * 40 / 100))
  if [ "$3" -gt 0 ] && [ "$1" -lt "$2" ]; then rest="about $3 s left"; fi
  if [ -n "$interactive" ]; then
    printf '\r  [%s%s] %3d %%  %s of %s files  %-18s' "$(printf '%*s' "$filled" '' | tr ' ' '#')" \
      "$(printf '%*s' $((40 - filled)) '' | tr ' ' '.')" "$percent" "$1" "$2" "$rest"
  elif ((percent / 25 > quarter)); then
    quarter=$((percent / 25))
    printf '  %3d %%  %s of %s files  %s\n' "$percent" "$1" "$2" "$rest"
  fi
}

# Waits for the corpus with a bar. The work is done by the server whether anybody waits or not.
fill() {
  local done_before='' done_now total pending begun=$SECONDS quarter=-1 left
  while true; do
    IFS='|' read -r total pending <<<"$(query "SELECT (SELECT count(*) FROM file), pending_count FROM socle.corpus_status WHERE name = 'handbook'")"
    if ((pending == 0)); then break; fi
    # A file that changed twice is pending twice.
    done_now=$((total > pending ? total - pending : 0))
    done_before=${done_before:-$done_now} left=0
    if ((done_now > done_before)); then left=$(((SECONDS - begun) * pending / (done_now - done_before) + 1)); fi
    bar "$done_now" "$total" "$left"
    if [ -n "$(query "SELECT FROM socle.corpus WHERE name = 'handbook' AND state IN ('paused', 'broken')")" ]; then break; fi
    sleep 0.3
  done
  bar "$total" "$total" 0
  if [ -n "$interactive" ]; then printf '\n'; fi
  # The rest: the keyword index, and the vector index, which is built at the end of a first fill.
  PGOPTIONS='-c client_min_messages=warning' query "CALL socle.sync_corpus('handbook')"
}

begun=$SECONDS
printf '%ssocle: from files on disk to answers with citations, in SQL%s\n' "$bold" "$plain"

step 'Files become a corpus'
if [ -z "$("${psql[@]}" --dbname=postgres --command="SELECT 1 FROM pg_database WHERE datname = 'demo'")" ]; then
  "${psql[@]}" --dbname=postgres --command='CREATE DATABASE demo'
fi
mkdir -p "$papers/en" "$papers/de/confidential"
python3 "$here/../examples/web/text_to_pdf.py" "$here/documents/en/house-rules.txt" "$papers/en/house-rules.pdf"
python3 "$here/../examples/web/text_to_pdf.py" "$here/documents/de/notfallplan.txt" "$papers/de/confidential/notfallplan.pdf"
printf '%s' "$dim"
cat <<'END'
  -- Pages of the handbook of Debian in French and English, and two PDF files of a fictitious house
  CALL socle.import_directory('file', '…/handbook', '*-*/sect.[b-fp-t]*.html');
  CALL socle.import_directory('file', '…/papers', '**/*.pdf');
  SELECT socle.create_corpus('handbook', source => 'file', document => 'data', title => 'title' …);
END
printf '%s\n' "$plain"
"${psql[@]}" --set=handbook="$handbook" --set=papers="$papers" --file="$here/load.sql"
"${psql[@]}" --file="$here/format.sql"
fill
query "SELECT format('  %s files are %s passages with vectors, a keyword index and a vector index.', document_count, chunk_count)
       FROM socle.corpus_status WHERE name = 'handbook'"
loaded=$((SECONDS - begun))

# shellcheck source=tour.sh
. "$here/tour.sh"

cat <<END

${bold}Done${plain}  after $((SECONDS - begun)) s, of which loading took $loaded s. The server runs on. Try it yourself:

  make psql                        opens psql in this database; paste a line such as

    SELECT title, score FROM socle.search('handbook', 'How do I share a printer?') LIMIT 3;

  make demo-web                    shows the same in a browser: questions, passages, answers, files
  make stop                        stops the server
END
