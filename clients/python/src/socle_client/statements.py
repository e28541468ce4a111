"""The statements: each argument is a parameter with its type, so that nothing that a user enters is read as SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from .options import TYPE_OF, AnswerOptions, ContextOptions, SearchOptions
from .rows import Answer, Citation, CitedText, Hit, Passage, StreamEnd

Corpora = str | Sequence[str]
"""A corpus, or several that are searched together."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and its parameters."""

    text: sql.Composed
    parameters: dict[str, Any]


def _call(function: sql.SQL, corpora: Corpora, question: str, options: Mapping[str, Any], known: type) -> Statement:
    """A call of a function that takes a corpus, a question and options by name."""
    unknown = options.keys() - known.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
    # A text and a list of texts are different functions: the type decides, not the client's guess.
    corpus = sql.SQL("%(corpus)s::text, ") if isinstance(corpora, str) else sql.SQL("%(corpus)s::text[], ")
    arguments: list[sql.Composable] = [corpus, sql.SQL("%(question)s::text")]
    parameters: dict[str, Any] = {"corpus": corpora if isinstance(corpora, str) else list(corpora), "question": question}
    for name, value in options.items():
        if value is None:
            continue
        sql_type = TYPE_OF.get(name, "text")
        cast = sql.SQL("::{}").format(sql.SQL(sql_type))
        arguments.append(sql.SQL(", {} => {}").format(sql.Identifier(name), sql.Placeholder(name)) + cast)
        parameters[name] = Jsonb(value) if sql_type == "jsonb" else list(value) if sql_type == "text[]" else value
    return Statement(sql.SQL("{}({})").format(function, sql.SQL("").join(arguments)), parameters)


def _columns(row: type, prefix: str = "") -> sql.Composed:
    names = [field.name for field in fields_of(row)]
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(name) for name in names)


def search(corpora: Corpora, query: str, options: SearchOptions) -> Statement:
    """Rows of ``Hit``."""
    call = _call(sql.SQL("socle.search"), corpora, query, options, SearchOptions)
    return Statement(sql.SQL("SELECT {} FROM {}").format(_columns(Hit), call.text), call.parameters)


def context(corpora: Corpora, question: str, options: ContextOptions) -> Statement:
    """One row with one text."""
    call = _call(sql.SQL("socle.context"), corpora, question, options, ContextOptions)
    return Statement(sql.SQL("SELECT {}").format(call.text), call.parameters)


def context_passages(corpora: Corpora, question: str, options: ContextOptions) -> Statement:
    """Rows of ``Passage``."""
    call = _call(sql.SQL("socle.context_passages"), corpora, question, options, ContextOptions)
    return Statement(sql.SQL("SELECT {} FROM {}").format(_columns(Passage), call.text), call.parameters)


def answer(corpora: Corpora, question: str, options: AnswerOptions) -> Statement:
    """The row of an answer."""
    call = _call(sql.SQL("socle.answer"), corpora, question, options, AnswerOptions)
    return Statement(sql.SQL("SELECT {} FROM {}").format(_columns(Answer), call.text), call.parameters)


def answer_stream(corpora: Corpora, question: str, options: AnswerOptions) -> Statement:
    """In the target list, where each row is sent before the next one is made."""
    call = _call(sql.SQL("socle.answer_stream"), corpora, question, options, AnswerOptions)
    sentence = sql.SQL("(a).number, (a).sentence, (a).citation, ")
    text = sql.SQL("SELECT {}{} FROM (SELECT {} AS a) AS answer").format(sentence, _columns(StreamEnd, "(a)."), call.text)
    return Statement(text, call.parameters)


def cite(citation: Citation | Mapping[str, Any]) -> Statement:
    """The row of ``CitedText``."""
    value = citation.as_json() if isinstance(citation, Citation) else dict(citation)
    text = sql.SQL("SELECT {} FROM socle.cite(%(citation)s::jsonb)").format(_columns(CitedText))
    return Statement(text, {"citation": Jsonb(value)})


def embed(texts: Sequence[str], model: str | None) -> Statement:
    """A row with a vector for each text, in their order."""
    vectors = sql.SQL("unnest(socle.embed(%(texts)s::text[], %(model)s::text)) WITH ORDINALITY AS v (vector, place)")
    return Statement(sql.SQL("SELECT vector::real[] FROM {} ORDER BY place").format(vectors), {"texts": list(texts), "model": model})


def embed_query(query: str, model: str | None) -> Statement:
    """A row with one vector."""
    text = sql.SQL("SELECT {}::real[]").format(sql.SQL("socle.embed_query(%(query)s::text, %(model)s::text)"))
    return Statement(text, {"query": query, "model": model})
