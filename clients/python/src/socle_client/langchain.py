"""A retriever for LangChain: ``pip install 'socle-client[langchain]'``."""

from dataclasses import asdict
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from .client import AsyncClient, Client
from .options import SearchOptions
from .rows import Hit


class SocleRetriever(BaseRetriever):
    """The best passages of a corpus, with the columns of ``socle.search`` as metadata."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: Client
    async_client: AsyncClient | None = None
    """Without one, asynchronous calls run the synchronous client in a thread."""
    options: SearchOptions = Field(default_factory=lambda: SearchOptions())

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [document_of(hit) for hit in self.client.search(query, **self.options)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        if self.async_client is None:
            return await super()._aget_relevant_documents(query, run_manager=run_manager)
        return [document_of(hit) for hit in await self.async_client.search(query, **self.options)]


def document_of(hit: Hit) -> Document:
    """The passage as a document of LangChain; its id is unique among the chunks of all corpora."""
    metadata: dict[str, Any] = asdict(hit)
    content = metadata.pop("content")
    return Document(id=f"{hit.corpus_name}/{hit.chunk_id}", page_content=content, metadata=metadata)
