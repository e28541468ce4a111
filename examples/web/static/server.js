// Requests to the application. Each names the tenant in a header; a refusal becomes an Error with a text to show.

// A message as a sentence: those of PostgreSQL begin with a small letter and have no full stop.
export function sentence(text) {
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}

export function reason(body) {
  const text = body.message ?? (typeof body.detail === "string" ? body.detail : "The request was refused.");
  return [text, body.hint].filter(Boolean).map(sentence).join(" ");
}

async function reply(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The application cannot be reached. Is it running?");
  }
  if (response.ok) return response;
  throw new Error(
    reason(
      await response
        .json()
        .catch(() => ({ message: `The application answered with status ${response.status}.` })),
    ),
  );
}

function request(tenant, body, signal) {
  if (body === undefined) return { headers: { "X-Tenant": tenant } };
  return {
    method: "POST",
    headers: { "X-Tenant": tenant, "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  };
}

export async function ask(path, tenant, body, signal) {
  return (await reply(path, request(tenant, body, signal))).json();
}

// The JSON values of a stream, one of each line, as they arrive.
export async function* lines(path, tenant, body, signal) {
  const response = await reply(path, request(tenant, body, signal));
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const complete = (rest + text).split("\n");
    rest = complete.pop();
    for (const line of complete) yield JSON.parse(line);
  }
}

export async function upload(path, tenant, file) {
  return (
    await reply(path, {
      method: "PUT",
      headers: { "X-Tenant": tenant, "Content-Type": "application/octet-stream" },
      body: file,
    })
  ).json();
}
