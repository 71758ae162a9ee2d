import { ApiError, WebChatApi } from "./api.js";
import { Thread } from "./thread.js";

const FIRST_PAUSE = 500; // ms
const LONGEST_PAUSE = 30_000;
const SILENCE_LIMIT = 45_000; // three missed keep-alives: the line is dead though nobody said so
const TYPING_FADES = 8_000;

/** How long to wait before attempt n (from 0) again: doubling, with jitter so that clients do not return as one. */
export function pause(attempt, random = Math.random) {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempt) * (0.5 + random() / 2);
}

/** The person a signed identity token speaks of; the whole token when it is not a readable JWT. */
export function subject(identity) {
  if (!identity) return "";
  try {
    const payload = identity.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return String(JSON.parse(atob(payload)).sub ?? identity);
  } catch {
    return identity;
  }
}

/**
 * One customer's conversation, kept alive: opens or resumes it, sends in order with retries, follows the live events and
 * catches up after every break. `onChange(fresh)` is called after each change with the messages that are new.
 */
export class ChatSession {
  thread = new Thread();
  online = false;
  refused = false; // the server does not want this page: trying again changes nothing
  ready = false; // the history is here: what comes now is new
  typing = null; // name of whoever is writing, "" when unknown
  owner = { owner: "bot", name: null };
  unread = 0;

  #options;
  #api;
  #memory;
  #stop = null;
  #sending = false;
  #opening = null;
  #typingTimer = null;

  constructor(options) {
    this.#options = { sleep: (ms) => new Promise((done) => setTimeout(done, ms)), onChange: () => {}, ...options };
    this.#api = new WebChatApi(options.base, options.fetch);
    this.#memory = options.memory;
    const kept = this.#memory.load();
    this.#api.token = kept.token ?? null;
    for (const { client_id, text, at } of kept.unsent ?? []) this.thread.write(client_id, text, at);
  }

  /** Whether this customer has a conversation already, so that connecting tells the server nothing new. */
  get known() {
    return Boolean(this.#api.token);
  }

  /** Follows the conversation until `disconnect`. Calling it again does nothing. */
  connect() {
    if (this.#stop) return;
    this.#stop = new AbortController();
    void this.#follow(this.#stop.signal);
    void this.#flush();
  }

  disconnect() {
    this.#stop?.abort();
    this.#stop = null;
    this.#stopTyping();
  }

  send(text, clientId = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`) {
    this.thread.write(clientId, text, new Date().toISOString());
    this.#remember();
    this.connect();
    void this.#flush();
  }

  retry(clientId) {
    this.thread.mark(clientId, "sending");
    this.#changed();
    void this.#flush();
  }

  markRead() {
    this.unread = 0;
    this.#memory.save({ read: this.thread.cursor });
    this.#changed();
  }

  async #ensureOpen() {
    if (this.#api.token) return this.#api.token;
    this.#opening ??= this.#api.open(this.#options).finally(() => (this.#opening = null));
    const { token, conversation_id } = await this.#opening;
    this.#memory.save({ token, conversation_id });
    return token;
  }

  /** The token used was refused. When another call has replaced it meanwhile, the new one stays. */
  #forget(used) {
    if (this.#api.token !== used) return;
    this.#api.token = null;
    this.thread.cursor = null; // ids of one conversation mean nothing in another
    this.#memory.save({ token: null });
  }

  async #follow(signal) {
    for (let attempt = 0, token; !signal.aborted; attempt++) {
      try {
        token = await this.#ensureOpen();
        await this.#listen(signal, () => (attempt = 0));
      } catch (error) {
        if (error.status === 401) this.#forget(token); // expired: the next round opens a new one
        else if (error instanceof ApiError && !error.temporary) return this.#giveUp();
      }
      if (signal.aborted) return;
      this.#setOnline(false);
      await this.#options.sleep(pause(attempt));
    }
  }

  async #listen(signal, onOpen) {
    const line = new AbortController();
    const end = () => line.abort();
    signal.addEventListener("abort", end);
    let watchdog = setTimeout(end, SILENCE_LIMIT);
    try {
      let caughtUp;
      const opened = () => {
        onOpen();
        // Asked once the stream stands: whatever was said between the two is in one of them, and merging is idempotent.
        caughtUp = this.#catchUp().catch(end);
      };
      for await (const event of this.#api.events({ lastId: this.thread.cursor, signal: line.signal, onOpen: opened })) {
        clearTimeout(watchdog);
        watchdog = setTimeout(end, SILENCE_LIMIT);
        await caughtUp;
        this.#receive(event);
      }
    } finally {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", end);
    }
  }

  async #catchUp() {
    const items = await this.#api.history(this.thread.cursor);
    const first = !this.ready;
    const fresh = this.thread.merge(items);
    if (first) this.unread = unreadAfter(this.thread.items, this.#memory.load().read);
    else this.#count(fresh);
    this.#adoptOwner(fresh);
    this.ready = true;
    this.online = true;
    this.#remember(first ? [] : fresh);
  }

  #receive({ event, data }) {
    if (event === "message") {
      const fresh = this.thread.merge([JSON.parse(data)]);
      if (fresh.some((message) => message.author !== "customer")) this.#stopTyping();
      this.#adoptOwner(fresh);
      this.#count(fresh);
      this.#remember(fresh);
    } else if (event === "typing") {
      this.#showTyping(JSON.parse(data));
    } else if (event === "owner") {
      const { owner, name = null, owner_name = name } = JSON.parse(data);
      this.owner = { owner, name: owner_name };
      this.#changed();
    }
  }

  #showTyping({ typing = true, name = "" }) {
    this.#stopTyping();
    if (typing) this.typing = name ?? "";
    if (typing) this.#typingTimer = setTimeout(() => (this.#stopTyping(), this.#changed()), TYPING_FADES);
    this.#changed();
  }

  #stopTyping() {
    clearTimeout(this.#typingTimer);
    this.typing = null;
  }

  /** After a reload the owner is known from who spoke last. */
  #adoptOwner(messages) {
    const last = messages.filter((message) => message.author !== "customer").at(-1);
    if (last?.author === "agent") this.owner = { owner: "agent", name: last.name ?? null };
  }

  #count(fresh) {
    this.unread += fresh.filter((message) => message.author !== "customer").length;
  }

  /** Sends what waits, one after the other, so that the order written is the order stored. */
  async #flush() {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let next; (next = this.thread.items.find((message) => message.state === "sending" && !message.id)); ) {
        await this.#deliver(next);
      }
    } finally {
      this.#sending = false;
    }
  }

  async #deliver({ client_id, text }) {
    for (let attempt = 0, token; ; attempt++) {
      try {
        token = await this.#ensureOpen();
        this.thread.confirm(client_id, await this.#api.post(client_id, text));
        return this.#remember();
      } catch (error) {
        if (error.status === 401 && attempt < 3) this.#forget(token);
        else if (!error.temporary || attempt >= 6) {
          this.thread.mark(client_id, "failed");
          return this.#changed();
        }
        await this.#options.sleep(error.retryAfter ? error.retryAfter * 1000 : pause(attempt));
      }
    }
  }

  #remember(fresh = []) {
    this.#memory.save({ unsent: this.thread.unsent });
    this.#changed(fresh);
  }

  #giveUp() {
    this.#stop = null;
    this.refused = true;
    this.#setOnline(false);
  }

  #setOnline(online) {
    this.online = online;
    this.#changed();
  }

  #changed(fresh = []) {
    this.#options.onChange(fresh);
  }
}

function unreadAfter(items, readId) {
  const seen = items.findIndex((message) => message.id === readId);
  return items.slice(seen + 1).filter((message) => message.author !== "customer").length;
}
