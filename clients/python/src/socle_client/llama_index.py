"""A retriever for LlamaIndex: ``pip install 'socle-client[llama-index]'``."""

from typing import Any, Unpack

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from .client import AsyncClient, Client
from .options import SearchOptions
from .rows import Hit


class SocleRetriever(BaseRetriever):
    """The best passages of a corpus, with title, page and key of the source as metadata."""

    def __init__(self, client: Client, async_client: AsyncClient | None = None, **options: Unpack[SearchOptions]) -> None:
        """Without ``async_client``, asynchronous calls run the synchronous one."""
        super().__init__()
        self._client = client
        self._async_client = async_client
        self._options = options

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [node_of(hit) for hit in self._client.search(query_bundle.query_str, **self._options)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._async_client is None:
            return self._retrieve(query_bundle)
        return [node_of(hit) for hit in await self._async_client.search(query_bundle.query_str, **self._options)]


def node_of(hit: Hit) -> NodeWithScore:
    """The passage as a node of LlamaIndex. Offsets of nodes count from 0, those of socle from 1."""
    metadata: dict[str, Any] = {
        "corpus": hit.corpus_name,
        "source_key": dict(hit.source_key),
        "title": hit.title,
        "page": hit.page,
        "heading_path": hit.heading_path,
    }
    node = TextNode(
        id_=f"{hit.corpus_name}/{hit.chunk_id}",
        text=hit.content,
        metadata=metadata,
        start_char_idx=hit.start_offset - 1,
        end_char_idx=hit.end_offset - 1,
    )
    return NodeWithScore(node=node, score=hit.score)
