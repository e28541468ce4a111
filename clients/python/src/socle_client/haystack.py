"""A component for Haystack: ``pip install 'socle-client[haystack]'``."""

from dataclasses import asdict
from typing import Any, Unpack

from haystack import Document, component

from .client import Client
from .options import SearchOptions
from .rows import Hit


@component
class SocleRetriever:
    """The best passages of a corpus. ``filter`` has the form of socle, such as ``{"price": {"<=": 100}}``."""

    def __init__(self, client: Client, **options: Unpack[SearchOptions]) -> None:
        """A component with a connection cannot be saved as YAML: build its pipeline in Python."""
        self._client = client
        self._options = options

    @component.output_types(documents=list[Document])
    def run(self, query: str, filter: dict[str, Any] | None = None, top_k: int | None = None) -> dict[str, Any]:
        """``filter`` and ``top_k`` replace those that the component was made with."""
        options = self._options.copy()
        if filter is not None:
            options["filter"] = filter
        if top_k is not None:
            options["result_limit"] = top_k
        return {"documents": [document_of(hit) for hit in self._client.search(query, **options)]}


def document_of(hit: Hit) -> Document:
    """The passage as a document of Haystack."""
    meta = asdict(hit)
    content = meta.pop("content")
    return Document(id=f"{hit.corpus_name}/{hit.chunk_id}", content=content, meta=meta, score=hit.score)
