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
  #mine = new Set(); // the client ids this page writes, or found unsent when it was opened
  #resting = new Set();
  #line = null;
  #gone = false;
  #stop = null;
  #sending = false;
  #opening = null;
  #typingTimer = null;

  constructor(options) {
    const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
    this.#options = { sleep, onChange: () => {}, exclusively: (work) => work(), ...options };
    this.#api = new WebChatApi(options.base, options.fetch);
    this.#memory = options.memory;
    const kept = this.#memory.load();
    this.#api.token = kept.token ?? null;
    for (const { client_id, text, at } of kept.unsent ?? []) this.#write(client_id, text, at);
  }

  /** Whether this customer has a conversation already, so that connecting tells the server nothing new. */
  get known() {
    return Boolean(this.#api.token);
  }

  /** Follows the conversation until `disconnect`. Calling it again does nothing. */
  connect() {
    if (this.#stop) return;
    this.#gone = false;
    this.#stop = new AbortController();
    void this.#follow(this.#stop.signal);
    void this.#flush();
  }

  disconnect() {
    this.#gone = true;
    this.#stop?.abort();
    this.#stop = null;
    this.#stopTyping();
  }

  /** The network came or went: the line that stands may be dead, and what waits may go now. */
  reconnect() {
    this.#line?.abort();
    for (const wake of this.#resting) wake();
  }

  /** Another tab has read on. */
  readElsewhere() {
    if (!this.ready) return;
    this.unread = unreadAfter(this.thread.items, this.#memory.load().read);
    this.#changed();
  }

  send(text, clientId = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`) {
    this.#write(clientId, text, new Date().toISOString());
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
    this.#memory.save({ read: this.#furthestRead() });
    this.#changed();
  }

  /** Another tab may have read further than this one has got: reading never goes back. */
  #furthestRead() {
    const { read = null } = this.#memory.load();
    const place = (id) => this.thread.items.findIndex((message) => message.id === id);
    const ahead = read && (place(read) < 0 || place(read) > place(this.thread.cursor));
    return !this.thread.cursor || ahead ? read : this.thread.cursor;
  }

  #write(clientId, text, at) {
    this.#mine.add(clientId);
    this.thread.write(clientId, text, at);
  }

  async #ensureOpen() {
    if (this.#api.token) return this.#api.token;
    this.#opening ??= this.#options.exclusively(() => this.#open()).finally(() => (this.#opening = null));
    return this.#opening;
  }

  /** Joins the conversation that another tab has opened meanwhile, or opens one. */
  async #open() {
    const kept = this.#memory.load().token;
    if (kept) return (this.#api.token = kept);
    const { token, conversation_id } = await this.#api.open(this.#options);
    this.#memory.save({ token, conversation_id, read: null });
    return token;
  }

  /** The token used was refused. When another call has replaced it meanwhile, the new one stays. */
  #forget(used) {
    if (this.#api.token !== used) return;
    this.#api.token = null;
    this.thread.cursor = null; // ids of one conversation mean nothing in another
    if (this.#memory.load().token === used) this.#memory.save({ token: null });
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
      await this.#rest(pause(attempt));
    }
  }

  async #listen(signal, onOpen) {
    const line = (this.#line = new AbortController());
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
    const items = await this.#history();
    const first = !this.ready;
    const fresh = this.thread.merge(items);
    if (first) this.unread = unreadAfter(this.thread.items, this.#memory.load().read);
    else this.#count(fresh);
    this.#adoptOwner(fresh);
    this.ready = true;
    this.online = true;
    this.#remember(first ? [] : fresh);
  }

  /** What came after the cursor; the whole thread when the server does not know that message any more. */
  async #history() {
    try {
      return await this.#api.history(this.thread.cursor);
    } catch (error) {
      if (error.status !== 422 || !this.thread.cursor) throw error;
      this.thread.cursor = null;
      return this.#api.history(null);
    }
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
      for (let next; !this.#gone && (next = this.thread.items.find((message) => message.state === "sending" && !message.id)); ) {
        await this.#deliver(next);
      }
    } finally {
      this.#sending = false;
    }
  }

  /** For as long as it takes: only what the server refuses for good is given back to the customer. */
  async #deliver({ client_id, text }) {
    for (let attempt = 0, token; !this.#gone; attempt++) {
      try {
        token = await this.#ensureOpen();
        this.thread.confirm(client_id, await this.#api.post(client_id, text));
        return this.#remember();
      } catch (error) {
        if (error.status === 401 && attempt < 3) this.#forget(token);
        else if (!error.temporary) {
          this.thread.mark(client_id, "failed");
          return this.#changed();
        }
        await this.#rest(error.retryAfter ? error.retryAfter * 1000 : pause(attempt));
      }
    }
  }

  /** Waits, unless something says that it is worth trying now. */
  async #rest(ms) {
    let wake;
    const woken = new Promise((done) => this.#resting.add((wake = done)));
    await Promise.race([this.#options.sleep(ms), woken]);
    this.#resting.delete(wake);
  }

  /** Keeps what has not left yet; what other tabs have written is theirs to strike out. */
  #remember(fresh = []) {
    const others = (this.#memory.load().unsent ?? []).filter(({ client_id }) => !this.#mine.has(client_id));
    this.#memory.save({ unsent: [...others, ...this.thread.unsent] });
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
