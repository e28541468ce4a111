"""What the application of examples/web answers, to whom, and what it refuses."""

import http.client
import json
import unittest
from concurrent.futures import ThreadPoolExecutor

import application
from application import Application, eventually, superuser

HOSTILE = "<script>document.title = 'gotcha'</script>"


def setUpModule():
    global app
    application.load()
    app = Application()


def tearDownModule():
    app.stop()


def text(passage):
    return "".join(passage["snippet"])


class Passages(unittest.TestCase):
    def test_a_hit_has_marks_page_and_the_score_of_each_step(self):
        best = app.search("nord", "documentation", "What torque do the terminals need?")[0]
        self.assertEqual((best["title"], best["page"], best["heading_path"]), ("installation-guide.pdf", 2, ["Connecting the cables"]))
        self.assertIn("torque", best["snippet"][1::2])
        self.assertNotIn("torque", "".join(best["snippet"][::2]))
        self.assertTrue(text(best).startswith("Connecting the cables\n"), text(best))
        for step in ("vector_score", "keyword_score", "rerank_score"):
            self.assertIsInstance(best[step], float, step)
        without = app.search("nord", "documentation", "What torque do the terminals need?", rerank=False)[0]
        self.assertIsNone(without["rerank_score"])

    def test_each_language_finds_its_documents(self):
        for dataset, question, title in (
            ("knowledge", "Wie melde ich mich krank?", "Krankmeldung"),
            ("knowledge", "Kto może zamawiać części?", "Zamawianie części"),
            ("knowledge", "Qui prévenir en cas d’incendie ?", "Incendie d’une batterie"),
            ("support", "The inverter shows error E-214", "Error E-214 after a thunderstorm"),
            ("documentation", "Wie wird die Batterie gelagert?", "lagerung.md"),
            ("documentation", "Jak zaktualizować oprogramowanie?", "oprogramowanie.txt"),
        ):
            self.assertEqual(app.search("nord", dataset, question)[0]["title"], title)

    def test_nothing_is_found_where_nothing_is_near(self):
        self.assertEqual(app.search("nord", "knowledge", "xylophone zeppelin"), [])

    def test_a_source_opens_at_the_passage(self):
        for dataset, question in (("knowledge", "invoices"), ("support", "E-214"), ("documentation", "Batterie gelagert")):
            hit = app.search("nord", dataset, question)[0]
            place = {key: hit[key] for key in ("source_key", "start_offset", "end_offset")}
            status, found = app.ask("/api/source", "nord", {"dataset": dataset} | place)
            self.assertEqual((status, found["title"]), (200, hit["title"]))
            begun = text(hit).split("\n")[-1].removesuffix(" …")
            self.assertIn(begun, found["passage"])


class Answers(unittest.TestCase):
    def test_sentences_come_with_citations_that_hold(self):
        sentences, last = app.answer("nord", "documentation", "What torque do the terminals need?")
        self.assertIn("12 newton metres", sentences[0]["sentence"])
        self.assertEqual((last["declined"], last["grounded"]), (False, 1.0))
        for sentence in sentences:
            status, found = app.ask("/api/source", "nord", {"dataset": "documentation", "citation": sentence["citation"]})
            self.assertEqual((status, found["state"], found["passage"]), (200, "valid", sentence["citation"]["quote"]))

    def test_a_question_without_an_answer_is_declined_with_the_reason(self):
        sentences, last = app.answer("nord", "knowledge", "Who painted the ceiling of the Sistine Chapel?")
        self.assertEqual((sentences, last["declined"]), ([], True))
        self.assertIn("relevance", last["reason"])

    def test_a_visitor_who_leaves_stops_the_generator(self):
        body = {"dataset": "documentation", "question": "What torque do the terminals need?", "generator": "smol"}
        connection = http.client.HTTPConnection("127.0.0.1", app.port)
        connection.request("POST", "/api/answer", json.dumps(body), {"X-Tenant": "nord", "Content-Type": "application/json"})
        running = "SELECT FROM pg_stat_activity WHERE query LIKE '%answer_stream%' AND state = 'active' AND usename = 'web_app'"
        with superuser() as client:
            eventually(lambda: client.execute(running).fetchall(), "the answer is being made")
            connection.close()
            eventually(lambda: not client.execute(running).fetchall(), "the statement was cancelled")


class Tenants(unittest.TestCase):
    def test_each_sees_its_own_tickets_only(self):
        nord = {hit["title"] for hit in app.search("nord", "support", "error E-214")}
        soleil = {hit["title"] for hit in app.search("soleil", "support", "error E-214")}
        self.assertIn("Error E-214 after a thunderstorm", nord)
        self.assertIn("Erreur E-214 au démarrage", soleil)
        self.assertEqual(nord & soleil, set())

    def test_neither_a_key_nor_a_citation_of_another_opens_anything(self):
        hit = app.search("soleil", "support", "Facture de mars en double")[0]
        place = {"dataset": "support", "source_key": hit["source_key"], "start_offset": 1, "end_offset": 10}
        self.assertEqual(app.ask("/api/source", "soleil", place)[0], 200)
        self.assertEqual(app.ask("/api/source", "nord", place)[0], 404)
        sentences, _ = app.answer("soleil", "support", "Pourquoi la facture de mars a été prélevée deux fois ?")
        citation = {"dataset": "support", "citation": sentences[0]["citation"]}
        self.assertEqual(app.ask("/api/source", "soleil", citation)[0], 200)
        self.assertEqual(app.ask("/api/source", "nord", citation)[0], 404)

    def test_connections_of_the_pool_keep_no_tenant(self):
        def titles(tenant):
            return tenant, {hit["title"] for hit in app.search(tenant, "support", "Error E-214", rerank=False)}

        own = {tenant: titles(tenant)[1] for tenant in ("nord", "soleil")}
        with ThreadPoolExecutor(12) as threads:
            for tenant, seen in threads.map(titles, ["nord", "soleil"] * 30):
                self.assertEqual(seen, own[tenant])

    def test_without_a_tenant_nothing_is_answered(self):
        for tenant in (None, "", "nobody", "Nord'; --"):
            body = {"dataset": "support", "question": "E-214"}
            self.assertEqual(app.request("POST", "/api/search", tenant, body)[0], 403)

    def test_a_role_that_row_security_does_not_apply_to_is_refused(self):
        process = application.start("postgres", application.free_port())
        try:
            _, said = process.communicate(timeout=application.PATIENCE)
        finally:
            # What is left of it would keep the output of this test open.
            process.kill()
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("row security does not apply to this role", said)


class Files(unittest.TestCase):
    def test_a_file_is_searchable_when_its_upload_returns_and_only_for_its_tenant(self):
        for word in ("flamingo", "pelican"):
            data = f"# Mascot\n\nThe mascot of the trade fair is a {word}.".encode()
            status, stored = app.upload("nord", "fair.md", data)
            self.assertEqual((status, stored["searchable"], stored["failure"]), (200, True, None))
            best = app.search("nord", "documentation", "What is the mascot of the trade fair?")[0]
            self.assertIn(word, text(best))
            self.assertEqual([hit for hit in app.search("soleil", "documentation", word) if hit["title"] == "fair.md"], [])
        names = [file["file_name"] for file in app.ask("/api/state?dataset=documentation", "nord")[1]["files"]]
        self.assertEqual(names.count("fair.md"), 1)
        self.assertNotIn("fair.md", json.dumps(app.ask("/api/state?dataset=documentation", "soleil")[1]))

    def test_a_file_that_cannot_be_read_says_why_to_its_tenant_alone(self):
        status, stored = app.upload("soleil", "broken.pdf", b"%PDF-1.7\nnothing of a PDF follows")
        self.assertEqual((status, stored["searchable"]), (200, False))
        listed = eventually(lambda: self.failure("soleil"), "the failure is listed")
        self.assertTrue(listed)
        self.assertIsNone(self.failure("nord"))

    def failure(self, tenant):
        files = app.ask("/api/state?dataset=documentation", tenant)[1]["files"]
        return next((file["failure"] for file in files if file["file_name"] == "broken.pdf"), None)

    def test_names_are_names_and_sizes_are_limited(self):
        _, stored = app.upload("nord", "../../etc/\u202egpj.md", b"A name that walks.")
        self.assertEqual(stored["file_name"], "gpj.md")
        self.assertEqual(app.upload("nord", "\x00\n", b"x")[0], 400)
        self.assertEqual(app.upload("nord", "empty.md", b"")[0], 400)
        self.assertEqual(app.upload("nord", "large.md", b"x" * 10_000_001)[0], 413)
        self.assertEqual(app.upload("nobody", "x.md", b"x")[0], 403)

    def test_markup_in_documents_stays_text(self):
        app.upload("nord", f"{HOSTILE}.md", f"A parrot says `{HOSTILE}` and <b>laughs</b> &amp; goes.".encode())
        best = app.search("nord", "documentation", "What does the parrot say?")[0]
        # As JSON, and never as HTML: letters as they are in the document.
        self.assertIn(HOSTILE, text(best))
        self.assertEqual(app.headers["Content-Type"], "application/json")


class Refusals(unittest.TestCase):
    def test_pages_of_others_can_neither_frame_nor_script_nor_name_this_one(self):
        app.request("GET", "/")
        self.assertIn("default-src 'none'", app.headers["Content-Security-Policy"])
        self.assertNotIn("unsafe", app.headers["Content-Security-Policy"])
        self.assertEqual(app.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(app.request("GET", "/api/start", headers={"Host": "evil.example"})[0], 400)
        self.assertIsNone(app.headers["Access-Control-Allow-Origin"])

    def test_questions_are_checked(self):
        for body in ({}, {"dataset": "x", "question": "y"}, {"dataset": "support", "question": ""}, {"dataset": "support", "question": "x" * 1001}):
            self.assertIn(app.request("POST", "/api/search", "nord", body)[0], (404, 422))
        self.assertIsInstance(app.search("nord", "support", "' OR 1=1; -- \\ {} %s \"unclosed"), list)

    def test_an_engine_that_is_away_is_said_and_passes(self):
        with superuser() as client:
            client.execute("LOAD 'socle'")
            client.execute("ALTER SYSTEM SET socle.onnxruntime_library = '/nowhere/libonnxruntime.so'")
            client.execute("SELECT pg_reload_conf()")
            body = {"dataset": "support", "question": "E-214"}
            try:
                found = eventually(lambda: self.refused(body), "the engine is away")
                self.assertEqual(found[0], 503)
                self.assertIn(found[1]["sqlstate"], ("57P03", "58P01"))
                self.assertTrue(found[1]["message"])
                _, text = app.request("POST", "/api/answer", "nord", body)
                self.assertIn("message", json.loads(text.decode().splitlines()[-1])["error"])
                # What needs no engine goes on.
                self.assertEqual(app.ask("/api/state?dataset=support", "nord")[0], 200)
            finally:
                client.execute("ALTER SYSTEM RESET socle.onnxruntime_library")
                client.execute("SELECT pg_reload_conf()")
        eventually(lambda: app.ask("/api/search", "nord", body)[0] == 200, "the engine is back")

    def refused(self, body):
        status, found = app.ask("/api/search", "nord", body)
        return (status, found) if status != 200 else None

    def test_a_connection_that_ends_is_replaced(self):
        with superuser() as client:
            client.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'web_app'")
        self.assertTrue(app.search("nord", "support", "E-214", rerank=False))


if __name__ == "__main__":
    unittest.main()
