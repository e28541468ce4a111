"""The data sets: which corpus each one searches, and how the text of a hit is read.

This is the file to change for tables of one's own. The statement of a data set gets the key of a document as socle.search
returns it, and returns its title and the text that offsets count in. It runs under row security, as everything does.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """One corpus as the page shows it."""

    name: str
    title: str
    description: str
    corpus: str
    source_sql: str
    questions: tuple[str, ...]
    takes_files: bool = False


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="knowledge",
            title="Knowledge base",
            description="How we work: articles in Markdown, some for everybody, some for one customer.",
            corpus="knowledge",
            source_sql="SELECT title, body AS text FROM web.article WHERE id = (%(key)s::jsonb ->> 'id')::bigint",
            questions=(
                "How long do we keep customer data?",
                "Wie melde ich mich krank?",
                "Qui prévenir en cas d’incendie ?",
                "Kto może zamawiać części?",
            ),
        ),
        Dataset(
            name="support",
            title="Customer support",
            description="What was asked and what helped. Each customer sees its own tickets.",
            corpus="support",
            # As a corpus joins its columns: with an empty line between them.
            source_sql="SELECT subject AS title, concat_ws(E'\\n\\n', body, resolution) AS text FROM web.ticket"
            " WHERE id = (%(key)s::jsonb ->> 'id')::bigint",
            questions=(
                "The inverter shows error E-214",
                "Die Batterie lädt bei Frost nicht",
                "L’application ne trouve pas l’onduleur",
                "Brak połączenia po wymianie routera",
            ),
        ),
        Dataset(
            name="documentation",
            title="Technical documentation",
            description="Files: PDF, HTML, Markdown, text. Add your own.",
            corpus="documentation",
            source_sql="SELECT file_name AS title, socle.extract_text(data, media_type, file_name) AS text FROM web.file"
            " WHERE id = (%(key)s::jsonb ->> 'id')::bigint",
            questions=(
                "What torque do the terminals need?",
                "Wie wird die Batterie gelagert?",
                "Quel est le couple de serrage ?",
                "Jak zaktualizować oprogramowanie?",
            ),
            takes_files=True,
        ),
        Dataset(
            name="handbook",
            title="Debian handbook",
            description="The handbook of Debian in French and English, as the demo has loaded it.",
            corpus="handbook",
            source_sql="SELECT coalesce(title, file_name) AS title, socle.extract_text(data, media_type, file_name) AS text"
            " FROM public.file WHERE file_name = %(key)s::jsonb ->> 'file_name'",
            questions=(
                "How can a disk be replaced in a software RAID?",
                "Comment configurer un pare-feu ?",
                "How do I run a command every night?",
            ),
        ),
    )
}
