// Calls to the server: session, events, and the person's actions.

const session = { key: "", runId: "", botId: 0, people: [], uploadLimit: 0, person: 0 };

export { session };

export async function openSession() {
  const response = await fetch("/api/session");
  if (!response.ok) throw new Error(`session: ${response.status}`);
  const body = await response.json();
  session.key = body.key;
  session.runId = body.run_id;
  session.botId = body.bot_id;
  session.people = body.people;
  session.uploadLimit = body.upload_limit_bytes;
}

export function fileUrl(fileId, download = false) {
  const query = new URLSearchParams({ key: session.key });
  if (download) query.set("download", "1");
  return `/api/file/${encodeURIComponent(fileId)}?${query}`;
}

export async function act(name, values) {
  const response = await fetch(`/api/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Localchat-Key": session.key },
    body: JSON.stringify({ person: session.person, ...values }),
  });
  const body = await response.json();
  if (!body.ok) throw new Error(body.description);
  return body.result;
}

// XMLHttpRequest reports the progress of an upload; fetch() does not.
export function upload(blob, fileName, values, { onProgress, signal }) {
  const form = new FormData();
  form.append("person", String(session.person));
  for (const [name, value] of Object.entries(values)) {
    if (value != null) form.append(name, String(value));
  }
  form.append("file", blob, fileName);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/upload");
    request.setRequestHeader("X-Localchat-Key", session.key);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () =>
      request.response?.ok
        ? resolve(request.response.result)
        : reject(new Error(request.response?.description ?? `status ${request.status}`)),
    );
    request.addEventListener("error", () => reject(new Error("connection lost")));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

// Follows one person's chat; reconnects by itself, also to a restarted server.
export class EventFeed {
  constructor({ onEvent, onState }) {
    this.onEvent = onEvent;
    this.onState = onState;
    this.pause = 0;
  }

  open() {
    this.source?.close();
    clearTimeout(this.timer);
    const query = new URLSearchParams({ key: session.key, person: String(session.person) });
    const source = new EventSource(`/api/events?${query}`);
    this.source = source;
    source.addEventListener("open", () => {
      this.pause = 0;
      this.onState(true);
    });
    source.addEventListener("message", (event) => this.onEvent(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (this.source !== source) return;
      source.close();
      this.onState(false);
      this.retry();
    });
  }

  retry() {
    this.pause = Math.min(Math.max(250, 2 * this.pause), 4000);
    this.timer = setTimeout(async () => {
      try {
        const before = session.runId;
        await openSession();
        if (session.runId !== before) this.onEvent({ type: "restart" });
        this.open();
      } catch {
        this.retry();
      }
    }, this.pause);
  }
}
