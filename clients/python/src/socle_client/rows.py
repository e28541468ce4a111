"""What the functions return: one dataclass for each kind of row, with the names of the columns in SQL."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

Key = Mapping[str, Any]
"""The primary key of a row of the source: values by column."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found by ``socle.search``. ``highlighted`` and ``snippet`` are HTML, all else is text."""

    corpus_name: str
    chunk_id: int
    source_key: Key
    title: str | None
    heading_path: list[str]
    page: int | None
    content: str
    highlighted: str | None
    start_offset: int
    end_offset: int
    score: float
    vector_score: float | None
    keyword_score: float | None
    rerank_score: float | None
    fresh_at: datetime | None
    stale: bool
    snippet: str | None
    total_count: int | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage for a prompt, as ``socle.context_passages`` returns it."""

    number: int
    corpus_name: str
    source_key: Key
    title: str | None
    heading_path: list[str]
    page: int | None
    start_offset: int
    end_offset: int
    content: str
    content_sha256: str
    score: float
    token_count: int


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence of an answer stands. ``Client.cite`` looks at the place again."""

    number: int
    corpus: str
    source_key: Key
    title: str | None
    page: int | None
    start_offset: int
    end_offset: int
    quote: str
    content_sha256: str
    support: float | None

    @classmethod
    def from_json(cls, citation: Mapping[str, Any]) -> Self:
        """Members that a later version of socle adds are left out."""
        members: dict[str, Any] = {field.name: citation.get(field.name) for field in fields(cls)}
        return cls(**members)

    def as_json(self) -> dict[str, Any]:
        """The object that ``socle.cite`` takes, to be stored with an answer."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; ``answer`` is None if ``declined``, and ``reason`` says why."""

    answer: str | None
    declined: bool
    reason: str | None
    grounded: float | None
    relevance: float | None
    coverage: float | None
    citations: list[Citation]
    removed: list[Any]
    unmatched_words: list[str]
    generator: str | None
    finish: str | None


@dataclass(frozen=True, slots=True)
class StreamedSentence:
    """One sentence of an answer that is still being made."""

    number: int
    sentence: str
    citation: Citation | None


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The last row of a stream: what is known when the answer is complete."""

    declined: bool
    reason: str | None
    grounded: float | None
    relevance: float | None
    coverage: float | None
    removed: list[Any]
    unmatched_words: list[str]
    generator: str | None
    finish: str | None


@dataclass(frozen=True, slots=True)
class CitedText:
    """What stands at the place of a citation now. ``state`` is valid, moved, changed, gone or hidden."""

    state: str
    content: str | None
    title: str | None
    start_offset: int | None
    end_offset: int | None


def answer_of(
    citations: list[Mapping[str, Any]] | None,
    removed: list[Any] | None,
    unmatched_words: list[str] | None,
    **columns: Any,
) -> Answer:
    """The row of ``socle.answer`` with its JSON read."""
    read = [Citation.from_json(citation) for citation in citations or []]
    return Answer(citations=read, removed=removed or [], unmatched_words=unmatched_words or [], **columns)


def streamed_of(
    number: int | None,
    sentence: str | None,
    citation: Mapping[str, Any] | None,
    removed: list[Any] | None,
    unmatched_words: list[str] | None,
    **columns: Any,
) -> StreamedSentence | StreamEnd:
    """A row of ``socle.answer_stream``: a sentence, or the end."""
    if number is not None and sentence is not None:
        return StreamedSentence(number, sentence, Citation.from_json(citation) if citation else None)
    return StreamEnd(removed=removed or [], unmatched_words=unmatched_words or [], **columns)
