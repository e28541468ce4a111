"""The page of examples/web in Chromium: keyboard, narrow screens, light and dark, hostile documents, errors."""

import json
import os
import shutil
import unittest

import application
from application import Application
from playwright.sync_api import expect, sync_playwright

QUESTION = "What torque do the terminals need?"
HOSTILE = "<img src=x onerror=\"document.title='gotcha'\">"

# The lowest contrast of any text that is shown, with its text: 4.5 is what WCAG 2 asks for.
CONTRAST = """() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => { const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b); };
    const ground = (e) => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
        if (c.length < 4 || c[3] === 1) return c; } return numbers(getComputedStyle(document.body).backgroundColor); };
    let worst = [99, ""];
    for (const e of document.querySelectorAll("body *")) {
        if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
        const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < worst[0]) worst = [contrast, e.textContent.trim().slice(0, 60)];
    }
    return worst;
}"""


def setUpModule():
    global app, playwright, browser
    application.load()
    app = Application()
    playwright = sync_playwright().start()
    # The sandbox of Chromium refuses root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)


def tearDownModule():
    browser.close()
    playwright.stop()
    app.stop()


class Page(unittest.TestCase):
    def open(self, dataset="documentation", question="", **context):
        context = browser.new_context(locale="en-GB", **({"viewport": {"width": 1100, "height": 800}} | context))
        self.addCleanup(context.close)
        context.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        page = context.new_page()
        self.errors = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # What the content security policy stops is an error of the console.
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.goto(f"{app.url}/?dataset={dataset}&question={question}")
        expect(page.locator("#datasets input")).to_have_count(3)
        return page

    def tearDown(self):
        self.assertEqual(self.errors, [])

    def test_the_keyboard_alone_asks_reads_and_opens_a_source(self):
        page = self.open()
        page.keyboard.press("/")
        expect(page.locator("#question")).to_be_focused()
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        expect(page.locator("#passages > li").first).to_contain_text("12 newton metres")
        expect(page.locator("#passages mark").first).to_be_visible()
        expect(page.locator("#answer")).to_contain_text("12 newton metres")
        expect(page.locator("form button.primary")).to_be_enabled()
        first = page.locator("#footnotes button").first
        for _ in range(40):
            page.keyboard.press("Tab")
            if first.evaluate("e => e === document.activeElement"):
                break
        self.assertNotEqual(first.evaluate("e => getComputedStyle(e).outlineStyle"), "none")
        page.keyboard.press("Enter")
        expect(page.locator("dialog mark")).to_have_text("The terminals of the battery need a torque of 12 newton metres; those of the earth conductor need 6.")
        expect(page.locator("dialog mark")).to_be_in_viewport()
        expect(page.locator("#source-state")).to_contain_text("The citation holds")
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_be_hidden()
        expect(first).to_be_focused()

    def test_a_hit_shows_page_headings_and_the_score_of_each_step(self):
        page = self.open(question=QUESTION)
        hit = page.locator("#passages > li").first
        expect(hit).to_contain_text("Connecting the cables · page 2")
        for step in ("Vector", "Keyword", "Rerank"):
            expect(hit.locator("dt", has_text=step)).to_be_visible()
        expect(page.locator("#state")).to_contain_text("Up to date")

    def test_it_fits_a_narrow_screen_and_has_contrast_in_light_and_dark(self):
        for scheme in ("light", "dark"):
            page = self.open("support", "Error E-214", viewport={"width": 320, "height": 640}, color_scheme=scheme)
            expect(page.locator("#passages > li").first).to_be_visible()
            expect(page.locator("#answer")).to_contain_text("surge protection")
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 320)
            contrast, text = page.evaluate(CONTRAST)
            self.assertGreaterEqual(contrast, 4.5, f"{scheme}: {text}")

    def test_another_tenant_sees_something_else(self):
        page = self.open("support", "Error E-214")
        expect(page.locator("#passages h3").first).to_have_text("Error E-214 after a thunderstorm")
        page.get_by_label("You are").select_option("soleil")
        expect(page.locator("#passages h3").first).to_have_text("Erreur E-214 au démarrage")
        expect(page.locator("#passages")).not_to_contain_text("thunderstorm")

    def test_an_uploaded_file_is_found_and_its_markup_stays_text(self):
        page = self.open()
        name = f"note {HOSTILE}.md".replace("/", "")
        content = f"# Aquarium {HOSTILE}\n\nThe aquarium in the lobby is fed by {HOSTILE} every morning."
        page.locator("#file").set_input_files({"name": name, "mimeType": "text/markdown", "buffer": content.encode()})
        expect(page.locator("#upload")).to_contain_text("is searchable after")
        expect(page.locator("#files")).to_contain_text(name)
        page.locator("#question").fill("Who feeds the aquarium in the lobby?")
        page.get_by_role("button", name="Ask", exact=True).click()
        hit = page.locator("#passages > li").first
        expect(hit).to_contain_text(name)
        expect(hit.locator(".snippet")).to_contain_text("onerror=")
        expect(page.locator("#answer")).to_contain_text("aquarium")
        hit.get_by_role("button").click()
        expect(page.locator("#source-text")).to_contain_text(HOSTILE)
        self.assertEqual(page.locator("main img, dialog img").count(), 0)
        self.assertNotEqual(page.title(), "gotcha")

    def test_nothing_found_and_a_declined_question_say_so(self):
        page = self.open("knowledge", "xylophone zeppelin")
        expect(page.locator("#summary")).to_contain_text("Nothing was found that you may see.")
        expect(page.locator("#answer .declined")).to_contain_text("do not answer this")
        page.locator("#question").fill("Who painted the ceiling of the Sistine Chapel in the office hours?")
        page.keyboard.press("Enter")
        expect(page.locator("#answer .declined .quiet")).not_to_be_empty()

    def test_refusals_and_silence_are_shown_and_the_next_question_works(self):
        page = self.open("support")
        away = {"message": "the socle engine is not available", "hint": "The server log says more."}
        page.route("**/api/search", lambda route: route.fulfill(status=503, content_type="application/json", body=json.dumps(away)))
        page.locator("#question").fill("E-214")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The socle engine is not available. The server log says more.")
        page.unroute("**/api/search")
        page.route("**/api/search", lambda route: route.abort())
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
        page.unroute("**/api/search")
        page.keyboard.press("Enter")
        expect(page.locator("#passages > li").first).to_be_visible()
        expect(page.get_by_role("alert")).to_be_hidden()
        # The browser reports both in its console; nothing else went wrong.
        self.assertEqual(len(self.errors), 2, self.errors)
        self.errors.clear()


if __name__ == "__main__":
    unittest.main()
