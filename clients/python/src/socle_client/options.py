"""The optional arguments of the SQL functions: their names and types for a type checker, and their SQL types.

What an argument means, and its default, is in the manual of socle. Arguments that are left out keep that default.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, LiteralString

if sys.version_info >= (3, 12):
    from typing import TypedDict
else:  # pydantic, which LangChain is made with, refuses that of the library before
    from typing_extensions import TypedDict

Filter = Mapping[str, Any]
"""Conditions on columns of the source, such as ``{"price": {"<=": 100}}``: data, never SQL, whoever has written it."""


class SearchOptions(TypedDict, total=False):
    """Of ``socle.search``."""

    result_limit: int
    result_offset: int
    mode: Literal["hybrid", "vector", "keyword"]
    filter: Filter
    fusion: Literal["adaptive", "rrf", "minmax"]
    keyword_weight: float
    candidate_count: int
    rerank_model: str
    rerank_count: int
    rerank_weight: float
    min_score: float
    min_similarity: float
    min_rerank: float
    group_by_document: bool
    group_by: str
    group_size: int
    boost: Filter | Sequence[Filter]
    count_total: bool
    diversity: float
    neighbours: int
    language: str
    query_syntax: Literal["natural", "operators", "plain"]
    score_statistics: Literal["corpus", "visible"]
    vector_optional: bool
    stale: Literal["omit", "show"]
    snippet_length: int
    snippet_by: Literal["words", "meaning"]
    marks: Sequence[str]
    fields: Sequence[Literal["title", "headings", "content"]]
    title_weight: float
    heading_weight: float


class ContextOptions(TypedDict, total=False):
    """Of ``socle.context`` and ``socle.context_passages``."""

    max_tokens: int
    passage_order: Literal["relevance", "document"]
    token_model: str
    mode: Literal["hybrid", "vector", "keyword"]
    filter: Filter
    rerank_model: str
    rerank_count: int
    neighbours: int
    language: str
    query_syntax: Literal["natural", "operators", "plain"]
    min_similarity: float
    min_rerank: float
    boost: Filter | Sequence[Filter]
    vector_optional: bool
    passage_limit: int
    conversation: Sequence[Mapping[str, str]]


class AnswerOptions(TypedDict, total=False):
    """Of ``socle.answer`` and ``socle.answer_stream``."""

    generator: str
    mode: Literal["auto", "extractive", "generated"]
    max_tokens: int
    temperature: float
    language: str
    context_tokens: int
    template: str
    conversation: Sequence[Mapping[str, str]]
    min_relevance: float
    seed: int
    max_sentences: int
    search_mode: Literal["hybrid", "vector", "keyword"]
    filter: Filter
    rerank_model: str
    rerank_count: int
    neighbours: int
    query_syntax: Literal["natural", "operators", "plain"]
    min_similarity: float
    min_rerank: float
    boost: Filter | Sequence[Filter]
    vector_optional: bool
    passage_limit: int


SQL_TYPES: dict[LiteralString, tuple[str, ...]] = {
    "integer": (
        "result_limit", "result_offset", "candidate_count", "rerank_count", "group_size", "neighbours", "snippet_length",
        "max_tokens", "passage_limit", "context_tokens", "max_sentences",
    ),
    "bigint": ("seed",),
    "real": ("title_weight", "heading_weight"),
    "double precision": (
        "keyword_weight", "rerank_weight", "min_score", "min_similarity", "min_rerank", "diversity", "temperature",
        "min_relevance",
    ),
    "boolean": ("group_by_document", "count_total", "vector_optional"),
    "jsonb": ("filter", "boost", "conversation"),
    "text[]": ("marks", "fields"),
}  # fmt: skip
"""The type in SQL of each option; what is not listed is text."""

TYPE_OF: dict[str, LiteralString] = {name: sql_type for sql_type, names in SQL_TYPES.items() for name in names}
