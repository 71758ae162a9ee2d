const speaks = (language) => (navigator.languages ?? []).some((tag) => tag.split("-")[0] === language.split("-")[0]);

/** The phones of the simulator: who there is, what each has sent and received, and what waits unread. */
export class Phones {
  people = [];
  current = null;
  #threads = new Map(); // phone -> Map(sid -> message)

  get person() {
    return this.people.find((person) => person.phone === this.current) ?? null;
  }

  get thread() {
    return [...(this.#threads.get(this.current)?.values() ?? [])].sort((a, b) => a.at.localeCompare(b.at) || 0);
  }

  /** The newest list of people from the server; those added by hand stay. */
  meet(people) {
    const known = new Set(people.map((person) => person.phone));
    const byHand = this.people.filter((person) => person.stranger && !known.has(person.phone));
    this.people = [...people.map((person) => ({ ...person, unread: this.#unreadOf(person) })), ...byHand];
    this.current ??= (this.people.find(({ language }) => language && speaks(language)) ?? this.people[0])?.phone ?? null;
  }

  addStranger(phone) {
    if (!this.people.some((person) => person.phone === phone)) {
      this.people.push({ phone, name: "Someone unknown", language: "", site: "", unread: 0, stranger: true });
    }
    this.choose(phone);
  }

  choose(phone) {
    this.current = phone;
    if (this.person) this.person.unread = 0;
  }

  /** Takes a message, new or with a new delivery status, to the phone it belongs to. */
  take(message) {
    const phone = message.direction === "out" ? message.to : message.from;
    const thread = this.#threads.get(phone) ?? new Map();
    const fresh = !thread.has(message.sid);
    thread.set(message.sid, { ...thread.get(message.sid), ...message });
    this.#threads.set(phone, thread);
    const person = this.people.find((one) => one.phone === phone);
    if (fresh && person && message.direction === "out" && phone !== this.current) person.unread = (person.unread ?? 0) + 1;
  }

  /** Takes the whole history of the current phone, which counts as read. */
  fill(messages) {
    for (const message of messages) this.take(message);
  }

  #unreadOf(person) {
    if (person.phone === this.current) return 0;
    const known = this.people.find((one) => one.phone === person.phone);
    return Math.max(known?.unread ?? 0, person.unread ?? 0);
  }
}
