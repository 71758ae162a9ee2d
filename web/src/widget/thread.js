/**
 * The messages of one conversation as the customer sees them: what the server has confirmed, oldest first, then what is
 * still on its way. Merging the same message twice, in any order, changes nothing.
 */
export class Thread {
  #confirmed = new Map();
  #pending = new Map(); // by client id, in the order they were written

  get items() {
    return [...this.#confirmed.values(), ...this.#pending.values()];
  }

  /**
   * The last id that came *from* the server's own order. Not the id of our last message: what the business said just
   * before it may still be on its way, and asking for what comes after ours would skip it. It never moves back.
   */
  cursor = null;

  /** What was written and never confirmed, for keeping across a reload. */
  get unsent() {
    return [...this.#pending.values()].map(({ client_id, text, at }) => ({ client_id, text, at }));
  }

  /** Takes messages from the server; answers those that were new to us. */
  merge(messages) {
    const fresh = messages.filter((message) => !this.#confirmed.has(message.id));
    for (const message of messages) {
      const known = this.#confirmed.get(message.id);
      if (known && !known.state) continue; // it stands in its place already
      const client_id = known?.client_id ?? (message.author === "customer" && !known ? this.#settle(message) : undefined);
      this.#confirmed.delete(message.id); // ours, placed by our clock: it moves to its true place
      this.#confirmed.set(message.id, client_id ? { ...message, client_id } : message);
      this.cursor = message.id;
    }
    return fresh;
  }

  write(clientId, text, at) {
    this.#pending.set(clientId, { client_id: clientId, author: "customer", text, at, state: "sending" });
  }

  mark(clientId, state) {
    const message = this.#pending.get(clientId);
    if (message) this.#pending.set(clientId, { ...message, state });
  }

  /** The server took the message: it has an id now. */
  confirm(clientId, id) {
    const message = this.#pending.get(clientId);
    if (!message) return;
    this.#pending.delete(clientId);
    if (!this.#confirmed.has(id)) this.#confirmed.set(id, { ...message, id, state: "sent" });
  }

  /** Our own message may come back on the stream before the answer to its POST: it must not stand there twice. */
  #settle(message) {
    for (const [clientId, waiting] of this.#pending) {
      // A message that seemed lost may have arrived all the same: its own number tells, in whatever state it waits.
      const same = message.client_id ? message.client_id === clientId : waiting.state === "sending" && message.text === waiting.text;
      if (same) return this.#pending.delete(clientId) && clientId;
    }
    return message.client_id;
  }
}
