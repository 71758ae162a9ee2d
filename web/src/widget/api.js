// The web chat API as the widget uses it: four calls, and one stream of events.
import { parseEvents } from "./sse.js";

/** The server said no, or could not be reached (status 0). */
export class ApiError extends Error {
  constructor(status, retryAfter = null) {
    super(status ? `the server answered ${status}` : "the server could not be reached");
    this.status = status;
    this.retryAfter = retryAfter; // seconds, when the server asked for a pause
  }

  /** Whether the same request may succeed later without anybody changing it. */
  get temporary() {
    return this.status === 0 || this.status === 408 || this.status === 425 || this.status === 429 || this.status >= 500;
  }
}

export class WebChatApi {
  constructor(base, fetch = globalThis.fetch.bind(globalThis)) {
    this.base = base;
    this.fetch = fetch;
    this.token = null;
  }

  /** Opens a conversation; answers {token, conversation_id} and keeps the token for later calls. */
  async open({ language, identity }) {
    const body = { ...(language && { language }), ...(identity && { identity }) };
    const session = await whole(await this.#call("POST", "sessions", { body }));
    this.token = session.token;
    return session;
  }

  /** Stores one message; the same clientId again stores nothing twice. Answers its id. */
  async post(clientId, text) {
    const response = await this.#call("POST", "messages", { body: { client_id: clientId, text } });
    return (await whole(response)).id;
  }

  /** The messages after the one with this id, oldest first; all of them when there is none. */
  async history(after) {
    const query = after ? `?after=${encodeURIComponent(after)}` : "";
    return (await whole(await this.#call("GET", `messages${query}`))).items;
  }

  /** The live events {event, data, id}, from lastId on. Ends when the connection does. `onOpen` is called when it stands. */
  async *events({ lastId, signal, onOpen }) {
    // A streamed fetch rather than EventSource: the token stays in a header, and a 401 can be told from a lost line.
    const headers = { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) };
    const response = await this.#call("GET", "events", { headers, signal });
    onOpen();
    yield* parseEvents(response.body);
  }

  async #call(method, path, { body, headers = {}, signal } = {}) {
    const options = { method, signal, credentials: "omit", cache: "no-store", headers: { ...headers } };
    if (this.token) options.headers.Authorization = `Bearer ${this.token}`;
    if (body) {
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    let response;
    try {
      response = await this.fetch(new URL(`webchat/${path}`, this.base), options);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0);
    }
    if (!response.ok) throw new ApiError(response.status, Number(response.headers.get("Retry-After")) || null);
    return response;
  }
}

/** The answer's JSON; one that was cut off on its way counts as not received. */
async function whole(response) {
  try {
    return await response.json();
  } catch {
    throw new ApiError(0);
  }
}
