// The page: what is asked, and how the replies are shown. Every text from a document goes in as text, never as HTML.

import { ask, lines, reason, sentence, upload } from "./server.js";

const at = (id) => document.getElementById(id);
const page = { datasets: [], asked: 0, running: null };

// An element with properties and children; strings become text.
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const dataset = () =>
  page.datasets.find((one) => one.name === document.querySelector("#datasets input:checked")?.value);
const tenant = () => at("tenant").value;

function problem(message) {
  at("problem").textContent = message ?? "";
  at("problem").hidden = !message;
}

// Every second part is a word of the query.
const marked = (parts) => parts.map((part, number) => (number % 2 ? element("mark", {}, part) : part));

function score(name, value, share, rank) {
  if (value === null)
    return element(
      "div",
      {},
      element("dt", {}, name),
      element("dd", { title: "not found by this step" }, "–"),
    );
  const filled = element("span");
  filled.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return element(
    "div",
    {},
    element("dt", {}, name),
    element(
      "dd",
      {},
      value.toFixed(2),
      rank ? element("span", { className: "quiet" }, ` no. ${rank}`) : null,
    ),
    element("div", { className: "bar", ariaHidden: "true" }, filled),
  );
}

function passage(row, words) {
  const place = [row.heading_path.join(" › "), row.page === null ? null : `page ${row.page}`]
    .filter(Boolean)
    .join(" · ");
  const open = element("button", { type: "button" }, "Open the source");
  open.setAttribute("aria-label", `Open the source: ${row.title}`);
  open.addEventListener("click", () =>
    show({ source_key: row.source_key, start_offset: row.start_offset, end_offset: row.end_offset }),
  );
  return element(
    "li",
    {},
    element("h3", {}, row.title ?? ""),
    place ? element("p", { className: "path" }, place) : null,
    element("p", { className: "snippet" }, ...marked(row.snippet)),
    element(
      "div",
      { className: "foot" },
      element(
        "dl",
        { className: "scores" },
        score("Vector", row.vector_score, row.vector_score, row.vector_rank),
        score("Keyword", row.keyword_score, row.keyword_score / words, row.keyword_rank),
        score("Rerank", row.rerank_score, 1 / (1 + Math.exp(-row.rerank_score)), null),
      ),
      open,
    ),
  );
}

async function passages(question, signal) {
  const found = await ask(
    "/api/search",
    tenant(),
    { dataset: dataset().name, question, rerank: at("rerank").checked },
    signal,
  );
  const words = Math.max(...found.passages.map((row) => row.keyword_score ?? 0), 1);
  at("passages").replaceChildren(...found.passages.map((row) => passage(row, words)));
  const fresh = found.passages[0]?.fresh_at;
  const count = found.passages.length;
  at("summary").textContent = count
    ? [
        `${count} ${count === 1 ? "passage" : "passages"} in ${found.milliseconds} ms`,
        fresh && `all changes before ${new Date(fresh).toLocaleTimeString()} are in`,
        ...found.notices,
      ]
        .filter(Boolean)
        .join("; ")
    : ["Nothing was found that you may see.", ...found.notices].join(" ");
  at("passages-section").hidden = false;
}

function footnote(row) {
  const open = element("button", { type: "button", className: "link" }, row.citation.title ?? "source");
  open.addEventListener("click", () => show({ citation: row.citation }));
  return element(
    "li",
    { id: `footnote-${row.number}` },
    element("span", { className: "index" }, `[${row.number}]`),
    open,
    row.citation.page ? `page ${row.citation.page}: ` : ": ",
    element("q", {}, row.citation.quote),
  );
}

// The sentences as they come; the last row sums up.
async function answer(question, signal) {
  const text = element("p");
  at("answer").replaceChildren(element("p", { className: "quiet" }, "…"));
  at("footnotes").replaceChildren();
  at("answer-section").hidden = false;
  for await (const row of lines(
    "/api/answer",
    tenant(),
    { dataset: dataset().name, question, generator: at("generator").value || null },
    signal,
  )) {
    if (row.error) throw new Error(reason(row.error));
    if (row.sentence) {
      const number = element("button", { type: "button", className: "link number" }, `[${row.number}]`);
      number.setAttribute("aria-label", `Citation ${row.number}: open the source`);
      number.addEventListener("click", () => show({ citation: row.citation }));
      text.append(row.sentence, number, " ");
      if (!text.isConnected) at("answer").replaceChildren(text);
      at("footnotes").append(footnote(row));
    } else if (row.declined) {
      at("answer").replaceChildren(
        element(
          "div",
          { className: "declined" },
          element("p", {}, "The documents that you may see do not answer this."),
          element("p", { className: "quiet" }, sentence(row.reason ?? "")),
        ),
      );
    } else {
      const dropped = row.removed?.length ?? 0;
      const notes = [
        row.generator && `Written by ${row.generator}; each sentence was compared with the passages.`,
        dropped
          ? `${dropped} ${dropped === 1 ? "sentence was" : "sentences were"} removed, because no passage supports ${dropped === 1 ? "it" : "them"}.`
          : null,
        row.reason && sentence(row.reason),
      ].filter(Boolean);
      if (notes.length) at("answer").append(element("p", { className: "removed" }, notes.join(" ")));
    }
  }
}

async function submit(event) {
  event?.preventDefault();
  const question = at("question").value.trim();
  if (!question || !dataset()) return;
  page.running?.abort();
  page.running = new AbortController();
  const { signal } = page.running;
  const mine = ++page.asked;
  problem(null);
  const button = document.querySelector("#form button.primary");
  button.disabled = true;
  at("summary").textContent = "Searching …";
  history.replaceState(null, "", `?${new URLSearchParams({ dataset: dataset().name, question })}`);
  try {
    await passages(question, signal);
    await answer(question, signal);
  } catch (error) {
    if (error.name !== "AbortError" && mine === page.asked) {
      problem(error.message);
      for (const id of ["answer-section", "passages-section"]) at(id).hidden = true;
    }
  } finally {
    if (mine === page.asked) button.disabled = false;
  }
  if (mine === page.asked) await state();
}

async function show(place) {
  problem(null);
  try {
    const found = await ask("/api/source", tenant(), { dataset: dataset().name, ...place });
    at("source-title").textContent = found.title ?? "";
    const states = {
      valid: "The citation holds: the same words stand at the same place.",
      moved: "The words have moved since, and stand here now.",
      changed: "The document has changed: these words do not stand there any more.",
      gone: "The document is gone.",
      hidden: "You may not see it.",
    };
    at("source-state").textContent = [
      states[found.state],
      found.cut ? "Only the surroundings are shown." : null,
    ]
      .filter(Boolean)
      .join(" ");
    const here = element("mark", { id: "here" }, found.passage);
    at("source-text").replaceChildren(found.before, here, found.after);
    at("source").showModal();
    here.scrollIntoView({ block: "center" });
    at("source-text").focus({ preventScroll: true });
  } catch (error) {
    problem(error.message);
  }
}

function file(row) {
  const [text, kind] = row.failure
    ? [`cannot be read: ${row.failure}`, "wrong"]
    : row.searchable
      ? ["searchable", "right"]
      : ["waits", "quiet"];
  return element(
    "li",
    {},
    element(
      "span",
      {},
      row.file_name,
      element("span", { className: "quiet" }, row.shared ? " (for everybody)" : " (yours)"),
    ),
    element("span", { className: kind }, text),
  );
}

async function state() {
  if (!dataset()) return;
  try {
    const now = await ask(`/api/state?dataset=${encodeURIComponent(dataset().name)}`, tenant());
    const waiting = now.pending_count
      ? `${now.pending_count} ${now.pending_count === 1 ? "change waits" : "changes wait"}`
      : "nothing waits";
    at("state").replaceChildren(
      element(
        "span",
        { className: now.state === "active" && !now.pending_count ? "right" : "quiet" },
        now.pending_count ? "Behind" : "Up to date",
      ),
      `: the corpus is ${now.state}, ${waiting}`,
      now.lag_seconds ? `, the oldest for ${now.lag_seconds.toFixed(1)} s` : "",
      now.state_reason ? `. It waits for this: ${now.state_reason}` : ".",
    );
    at("files").replaceChildren(...now.files.map(file));
    at("files-section").hidden = !dataset().takes_files;
  } catch (error) {
    at("state").textContent = error.message;
  }
}

async function add() {
  const [chosen] = at("file").files;
  if (!chosen) return;
  problem(null);
  at("upload").textContent = `Adding ${chosen.name} …`;
  try {
    const stored = await upload(`/api/file?name=${encodeURIComponent(chosen.name)}`, tenant(), chosen);
    at("upload").textContent = stored.failure
      ? `${stored.file_name} cannot be read: ${stored.failure}`
      : stored.searchable
        ? `${stored.file_name} is searchable after ${stored.milliseconds} ms.`
        : `${stored.file_name} is stored and waits for its turn.`;
  } catch (error) {
    at("upload").textContent = "";
    problem(error.message);
  }
  at("file").value = "";
  await state();
  await submit();
}

function choose() {
  page.running?.abort();
  page.asked += 1;
  document.querySelector("#form button.primary").disabled = false;
  const { description, questions } = dataset();
  at("description").textContent = description;
  at("examples").replaceChildren(
    ...questions.map((text) => {
      const button = element("button", { type: "button", className: "link" }, text);
      button.addEventListener("click", () => {
        at("question").value = text;
        submit();
      });
      return element("li", {}, button);
    }),
  );
  for (const id of ["answer-section", "passages-section"]) at(id).hidden = true;
  at("upload").textContent = "";
  problem(null);
  state();
}

async function begin() {
  const found = await ask("/api/start", "");
  page.datasets = found.datasets;
  const wanted = new URLSearchParams(location.search);
  at("tenant").append(...found.tenants.map((one) => element("option", { value: one.name }, one.title)));
  at("generator").append(
    ...found.generators.map((name) =>
      element("option", { value: name }, `written by ${name}, from the passages`),
    ),
  );
  const chosen = found.datasets.some((one) => one.name === wanted.get("dataset"))
    ? wanted.get("dataset")
    : found.datasets[0]?.name;
  at("datasets").append(
    ...found.datasets.map((one) =>
      element(
        "label",
        {},
        element("input", { type: "radio", name: "dataset", value: one.name, checked: one.name === chosen }),
        one.title,
      ),
    ),
  );
  if (!chosen) throw new Error("There is no corpus here yet: run load.py.");
  at("datasets").addEventListener("change", choose);
  at("tenant").addEventListener("change", () => {
    choose();
    submit();
  });
  choose();
  at("question").value = wanted.get("question") ?? "";
  submit();
}

at("form").addEventListener("submit", submit);
at("file").addEventListener("change", add);
at("close").addEventListener("click", () => at("source").close());
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, select, dialog")) {
    event.preventDefault();
    at("question").focus();
  }
});
begin().catch((error) => problem(error.message));
