"""The integrations against a server with the corpus of examples/clients/setup.sql, each through its framework."""

import json
import os
import subprocess
import sys
import unittest

import psycopg
from haystack import Pipeline
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.llms import MockLLM
from mcp import Client as McpClient
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client

from socle_client import AsyncClient, Client
from socle_client.haystack import SocleRetriever as HaystackRetriever
from socle_client.langchain import SocleRetriever as LangChainRetriever
from socle_client.llama_index import SocleRetriever as LlamaIndexRetriever

WARRANTY = "How long is the warranty of the refrigerator?"
YEARS = "The warranty of the refrigerator is five years."


class RetrieverTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.connection = psycopg.connect()
        self.addCleanup(self.connection.close)
        self.client = Client(self.connection, "manual")

    async def test_langchain_gets_documents(self) -> None:
        retriever = LangChainRetriever(client=self.client, options={"result_limit": 2})
        for documents in (retriever.invoke(WARRANTY), await retriever.ainvoke(WARRANTY)):
            self.assertEqual(len(documents), 2)
            self.assertIn(YEARS, documents[0].page_content)
            self.assertEqual(documents[0].metadata["source_key"], {"id": 8})
        async with await psycopg.AsyncConnection.connect() as connection:
            retriever = LangChainRetriever(client=self.client, async_client=AsyncClient(connection, "manual"))
            chain = retriever | (lambda documents: documents[0].metadata["title"])
            self.assertEqual(await chain.ainvoke(WARRANTY), "Frost")

    async def test_llama_index_gets_nodes(self) -> None:
        retriever = LlamaIndexRetriever(self.client, result_limit=2)
        for nodes in (retriever.retrieve(WARRANTY), await retriever.aretrieve(WARRANTY)):
            self.assertEqual(len(nodes), 2)
            self.assertIn(YEARS, nodes[0].text)
            self.assertEqual(nodes[0].metadata["title"], "Frost")
        async with await psycopg.AsyncConnection.connect() as connection:
            retriever = LlamaIndexRetriever(self.client, AsyncClient(connection, "manual"))
            self.assertIn(YEARS, (await retriever.aretrieve(WARRANTY))[0].text)
        synthesizer = get_response_synthesizer(llm=MockLLM(), response_mode=ResponseMode.COMPACT)
        response = RetrieverQueryEngine(retriever=LlamaIndexRetriever(self.client), response_synthesizer=synthesizer).query(WARRANTY)
        self.assertIn(YEARS, str(response), "the prompt, which this model repeats, has the passage")

    def test_haystack_gets_documents(self) -> None:
        pipeline = Pipeline()
        pipeline.add_component("retriever", HaystackRetriever(self.client, result_limit=2))
        documents = pipeline.run({"retriever": {"query": WARRANTY}})["retriever"]["documents"]
        self.assertEqual(len(documents), 2)
        self.assertIn(YEARS, documents[0].content)
        narrowed = {"query": WARRANTY, "filter": {"category": "lamp"}, "top_k": 1}
        documents = pipeline.run({"retriever": narrowed})["retriever"]["documents"]
        self.assertEqual([document.meta["source_key"]["id"] for document in documents], [4])


class McpTest(unittest.IsolatedAsyncioTestCase):
    def server(self, **environment: str) -> StdioServerParameters:
        program = [sys.executable, "-c", "import sys; from socle_client.mcp_server import main; sys.exit(main())", "manual"]
        return StdioServerParameters(command=program[0], args=program[1:], env={**os.environ, **environment})

    async def test_the_tools_search_answer_and_cite(self) -> None:
        async with McpClient(stdio_client(self.server())) as session:
            tools = {tool.name for tool in (await session.list_tools()).tools}
            self.assertEqual(tools, {"search", "answer", "cite"})

            async def call(tool: str, arguments: dict) -> dict:
                result = await session.call_tool(tool, arguments)
                self.assertFalse(result.is_error, result)
                return json.loads(result.content[0].text)

            hit = await call("search", {"query": WARRANTY, "limit": 1})
            self.assertEqual(hit["source_key"], {"id": 8})
            narrowed = await call("search", {"query": WARRANTY, "limit": 1, "filter": {"category": "lamp"}})
            self.assertIn(narrowed["title"], {"Nordlicht", "Lampka Biurkowa"})
            answer = await call("answer", {"question": WARRANTY})
            self.assertIn(YEARS, answer["answer"])
            self.assertEqual((await call("cite", {"citation": answer["citations"][0]}))["state"], "valid")
            wrong = await session.call_tool("search", {"query": WARRANTY, "filter": {"password": "x"}})
            self.assertTrue(wrong.is_error)
            self.assertIn('"price"', wrong.content[0].text, "the hint, which names the columns")

    def test_a_superuser_is_refused(self) -> None:
        server = self.server(PGUSER="postgres")
        ended = subprocess.run([server.command, *server.args], env=server.env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("not as a superuser", ended.stderr)


if __name__ == "__main__":
    unittest.main()
