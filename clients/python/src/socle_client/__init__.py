"""Search, passages for prompts and answers with citations, from a corpus of socle.

The functions run in the database, with the rights of the role that is connected; this package passes arguments with
their types and returns dataclasses. It never changes a setting of the session, so that it works through poolers.
"""

from .client import AsyncClient, Client
from .options import AnswerOptions, ContextOptions, SearchOptions
from .rows import Answer, Citation, CitedText, Hit, Passage, StreamEnd, StreamedSentence

__version__ = "0.2.0"

__all__ = [
    "Answer",
    "AnswerOptions",
    "AsyncClient",
    "Citation",
    "CitedText",
    "Client",
    "ContextOptions",
    "Hit",
    "Passage",
    "SearchOptions",
    "StreamEnd",
    "StreamedSentence",
]
