import { LitElement, html, nothing, svg } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { inkOn } from "./colour.js";
import { Memory } from "./memory.js";
import { ChatSession, subject } from "./session.js";
import { styles } from "./styles.js";
import { localeFor, say, wordsFor } from "./words.js";

const icon = (path, flip) => html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" class=${flip ? "flip" : ""}>${path}</svg>`;
const BUBBLE = svg`<path d="M4 5.5h16a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5h-8L7 21.5v-4H4A1.5 1.5 0 0 1 2.5 16V7A1.5 1.5 0 0 1 4 5.5Z"/><path d="M8 11.5h.01M12 11.5h.01M16 11.5h.01"/>`;
const CLOSE = svg`<path d="M6 6l12 12M18 6L6 18"/>`;
const SEND = svg`<path d="M4 12h14M12 5.5l6.5 6.5-6.5 6.5"/>`;

/**
 * <afterword-chat>: a launcher and a chat panel. Attributes: base (where Afterword answers), business, language, identity
 * (a token signed by the business's site), color, theme (light | dark | auto), position (left | right), storage (local | tab).
 */
export class AfterwordChat extends LitElement {
  static styles = styles;
  static properties = {
    base: {}, business: {}, language: {}, identity: {}, color: {}, storage: {},
    theme: { reflect: true }, position: { reflect: true }, open: { type: Boolean, reflect: true },
  };

  #session = null;
  #atEnd = true;
  #dark = matchMedia("(prefers-color-scheme: dark)");
  #onDark = () => this.#applyTheme();
  #memory = null;
  #onNetwork = () => this.#session?.reconnect();
  #onElsewhere = (event) => this.#memory?.concerns(event) && this.#session?.readElsewhere();
  #mode = null;

  constructor() {
    super();
    this.base = location.origin;
    this.business = "";
    this.storage = "local";
    this.open = false;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#mode = this.theme ?? "auto";
    this.#dark.addEventListener("change", this.#onDark);
    for (const change of ["online", "offline"]) addEventListener(change, this.#onNetwork);
    addEventListener("storage", this.#onElsewhere);
    this.#applyTheme();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#dark.removeEventListener("change", this.#onDark);
    for (const change of ["online", "offline"]) removeEventListener(change, this.#onNetwork);
    removeEventListener("storage", this.#onElsewhere);
    this.#session?.disconnect();
    this.#session = null;
  }

  willUpdate(changed) {
    if (!this.#session || ["base", "business", "identity"].some((name) => changed.has(name))) this.#begin();
    if (changed.has("color") && this.color) {
      const ink = inkOn(this.color);
      if (ink) this.style.setProperty("--afterword-accent", this.color);
      if (ink) this.style.setProperty("--afterword-accent-ink", ink);
    }
  }

  updated(changed) {
    if (changed.has("open")) {
      if (this.open) this.renderRoot.querySelector("textarea").focus();
      else if (changed.get("open")) this.renderRoot.querySelector(".launcher").focus();
    }
    const thread = this.renderRoot.querySelector(".thread");
    if (thread && this.#atEnd) thread.scrollTop = thread.scrollHeight;
  }

  show() {
    this.open = true;
    this.#atEnd = true;
    this.#session.connect();
    this.#session.markRead();
  }

  hide() {
    this.open = false;
  }

  #begin() {
    this.#session?.disconnect();
    const store = () => (this.storage === "tab" ? sessionStorage : localStorage);
    const memory = (this.#memory = new Memory(store, this.base, this.business, subject(this.identity)));
    this.#session = new ChatSession({
      base: this.base,
      language: this.language,
      identity: this.identity,
      memory,
      exclusively: memory.exclusively,
      onChange: () => this.#onChange(),
    });
    // A stranger is not connected before opening the panel: until then nothing about the visit leaves the page.
    if (this.#session.known || this.identity || this.open) this.#session.connect();
  }

  #onChange() {
    const visible = this.open && document.visibilityState === "visible";
    if (visible && this.#session.unread) return this.#session.markRead();
    this.requestUpdate();
  }

  #applyTheme() {
    const dark = this.#mode === "dark" || (this.#mode === "auto" && this.#dark.matches);
    this.theme = dark ? "dark" : "light";
  }

  render() {
    const words = wordsFor(this.language || document.documentElement.lang || navigator.language);
    return html`<div dir=${words.dir} lang=${words.language} @keydown=${this.#onKey}>
      ${this.open ? this.#panel(words) : this.#launcher(words)}
    </div>`;
  }

  #launcher(words) {
    const { unread } = this.#session;
    const news = unread ? say(words, "unread", { count: unread }) : "";
    return html`<button class="launcher" type="button" aria-haspopup="dialog" aria-expanded="false" @click=${this.show}
        aria-label=${news ? `${words.open}, ${news}` : words.open}>
        ${icon(BUBBLE, true)}${unread ? html`<span class="badge" aria-hidden="true">${unread > 9 ? "9+" : unread}</span>` : nothing}
      </button>
      <span class="quiet" role="status">${news}</span>`;
  }

  #panel(words) {
    const { owner } = this.#session;
    const line = owner.owner !== "agent" ? words.assistant
      : owner.name ? say(words, "agent", owner) : words.person;
    return html`<section class="panel" role="dialog" aria-label=${`${this.business} ${words.title}`.trim()}>
      <header>
        <div><h2><bdi>${this.business || words.title}</bdi></h2><p aria-live="polite">${line}</p></div>
        <button class="icon" type="button" aria-label=${words.close} @click=${this.hide}>${icon(CLOSE)}</button>
      </header>
      <div class="thread" tabindex="0" role="log" aria-label=${words.log} @scroll=${this.#onScroll}
        aria-live=${this.#session.ready ? "polite" : "off"}>${this.#messages(words)}</div>
      <p class="status" role="status">${this.#status(words)}</p>
      <form @submit=${this.#onSubmit}>
        <textarea rows="1" maxlength="4000" dir="auto" enterkeyhint="send" autocomplete="off"
          aria-label=${words.write} placeholder=${words.write}></textarea>
        <button class="icon send" aria-label=${words.send}>${icon(SEND, true)}</button>
      </form>
    </section>`;
  }

  #messages(words) {
    const { items } = this.#session.thread;
    if (!items.length) return html`<p class="greeting">${words.greeting}</p>`;
    const rows = [];
    items.forEach((message, index) => {
      const before = items[index - 1];
      const day = new Date(message.at).toDateString();
      if (!before || new Date(before.at).toDateString() !== day) rows.push({ key: `day ${day}`, day: message.at });
      const turn = !before || before.author !== message.author || before.name !== message.name;
      rows.push({ key: message.client_id ?? message.id, message, turn, last: index === items.length - 1 });
    });
    return html`<ol>${repeat(rows, (row) => row.key, (row) => (row.day ? this.#day(row, words) : this.#message(row, words)))}</ol>`;
  }

  #day({ day }, words) {
    const format = new Intl.DateTimeFormat(localeFor(words.language), { weekday: "long", day: "numeric", month: "long" });
    return html`<li class="day">${format.format(new Date(day))}</li>`;
  }

  #message({ message, turn, last }, words) {
    const mine = message.author === "customer";
    const time = new Intl.DateTimeFormat(localeFor(words.language), { hour: "2-digit", minute: "2-digit" }).format(new Date(message.at));
    const who = mine ? words.you : message.name || this.business;
    const state = mine && message.state ? words[message.state] : "";
    return html`<li class=${`${message.author} ${turn ? "turn" : ""} ${message.state ?? ""}`}>
      ${turn ? html`<span class=${mine ? "quiet" : "name"} dir="auto">${who}</span>` : nothing}
      <p class="text" dir="auto">${message.text}</p>
      ${state || last ? html`<span class="meta">${state && message.state !== "sent" ? state : html`<time datetime=${message.at}>${time}</time>`}
        ${message.state === "failed" ? html`<button type="button" @click=${() => this.#session.retry(message.client_id)}>${words.retry}</button>` : nothing}
      </span>` : nothing}
    </li>`;
  }

  #status(words) {
    const { refused, online, ready, typing } = this.#session;
    if (refused) return words.refused;
    if (ready && !online) return words.offline;
    return typing === null ? "" : say(words, "typing", { name: typing || this.business || words.someone });
  }

  #onKey(event) {
    if (event.key === "Escape" && this.open) {
      event.stopPropagation();
      this.hide();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target.matches?.("textarea")) {
      event.preventDefault();
      this.#onSubmit(event);
    }
  }

  #onScroll({ target }) {
    this.#atEnd = target.scrollHeight - target.scrollTop - target.clientHeight < 48;
  }

  #onSubmit(event) {
    event.preventDefault();
    const box = this.renderRoot.querySelector("textarea");
    const text = box.value.trim();
    if (!text) return box.focus();
    box.value = "";
    box.focus();
    this.#atEnd = true;
    this.#session.send(text);
  }
}
