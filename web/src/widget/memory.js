/** What the widget keeps about one conversation in the browser; in memory only when storage is closed to us. */
export class Memory {
  #key;
  #store;
  #fallback = {};

  constructor(store, ...parts) {
    this.#store = store;
    this.#key = ["afterword", ...parts].join(":");
  }

  /** Whether a `storage` event speaks of what we keep: another tab has changed it. */
  concerns(event) {
    return event.key === this.#key;
  }

  /** Does one thing at a time in all tabs of this browser, where the browser lets us. */
  exclusively = (work) => globalThis.navigator?.locks?.request(this.#key, work) ?? work();

  load() {
    try {
      return { ...this.#fallback, ...JSON.parse(this.#store().getItem(this.#key) ?? "{}") };
    } catch {
      return this.#fallback;
    }
  }

  /** Replaces the given fields and keeps the rest. */
  save(fields) {
    const all = { ...this.load(), ...fields };
    this.#fallback = all;
    try {
      this.#store().setItem(this.#key, JSON.stringify(all));
    } catch {
      // Private windows and full disks: the conversation then lasts as long as the page.
    }
  }
}
