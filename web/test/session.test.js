import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { pause, ChatSession, subject } from "../src/widget/session.js";

/** A small web chat server with the shape of the real one; what it stores and hears can be looked at. */
class Server {
  messages = [];
  sessions = 0;
  refusals = []; // statuses to answer the next POSTed messages with
  lost = 0; // how many POSTed messages are stored without an answer that arrives
  down = false; // nobody answers
  #streams = new Set();

  async start() {
    this.http = createServer((request, response) => this.#answer(request, response)).listen(0, "127.0.0.1");
    await once(this.http, "listening");
    this.base = `http://127.0.0.1:${this.http.address().port}/`;
    return this;
  }

  stop() {
    this.http.closeAllConnections();
    this.http.close();
  }

  say(author, text, client_id) {
    const message = { id: `m${this.messages.length + 1}`, author, name: null, text, at: new Date().toISOString(), client_id };
    this.messages.push(message);
    for (const stream of this.#streams) this.#emit(stream, "message", message);
    return message;
  }

  tell(event, data) {
    for (const stream of this.#streams) this.#emit(stream, event, data);
  }

  breakLines() {
    for (const stream of this.#streams) stream.destroy();
    this.#streams.clear();
  }

  #emit(stream, event, data) {
    stream.write(`event: ${event}\nid: ${data.id ?? ""}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async #answer(request, response) {
    if (this.down) return void request.socket.destroy();
    const { pathname, searchParams } = new URL(request.url, this.base);
    let body = "";
    for await (const chunk of request) body += chunk;
    const json = (status, value) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
    if (pathname.endsWith("/sessions")) return json(201, { token: `t${++this.sessions}`, conversation_id: "c" });
    if (request.headers.authorization !== `Bearer t${this.sessions}`) return json(401, {});
    if (pathname.endsWith("/events")) {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write(": hello\n\n");
      response.on("close", () => this.#streams.delete(response));
      return void this.#streams.add(response);
    }
    if (request.method === "GET") {
      const after = this.messages.findIndex((message) => message.id === searchParams.get("after"));
      if (after < 0 && searchParams.get("after")) return json(422, {});
      return json(200, { items: this.messages.slice(after + 1) });
    }
    if (this.refusals.length) return json(this.refusals.shift(), {});
    const { client_id, text } = JSON.parse(body);
    const known = this.messages.find((message) => message.client_id === client_id);
    const { id } = known ?? this.say("customer", text, client_id);
    if (this.lost-- > 0) return void request.socket.destroy();
    return json(202, { id });
  }
}

const open = [];
afterEach(() => open.splice(0).forEach((thing) => (thing.disconnect ?? thing.stop).call(thing)));

async function given() {
  const server = await new Server().start();
  const kept = {};
  const memory = { load: () => kept, save: (fields) => Object.assign(kept, fields) };
  open.push(server);
  return { server, kept, session: follow(server, memory), memory };
}

function follow(server, memory) {
  const session = new ChatSession({ base: server.base, memory, sleep: () => new Promise(setImmediate) });
  open.push(session);
  return session;
}

async function until(condition) {
  while (!condition()) await new Promise((done) => setTimeout(done, 2));
}

const texts = (session) => session.thread.items.map((message) => message.text);

test("A message is written, stored once and seen as sent", async () => {
  const { server, session } = await given();

  session.send("The soup was cold");
  await until(() => server.messages.length && session.thread.unsent.length === 0 && session.online);

  assert.deepEqual(texts(session), ["The soup was cold"]);
  assert.equal(server.messages.length, 1);
});

test("A server in trouble gets the message again, and stores it once", async () => {
  const { server, session } = await given();
  server.refusals = [503, 500];

  session.send("The soup was cold");
  session.send("And late");
  await until(() => server.messages.length === 2 && session.thread.unsent.length === 0);

  assert.deepEqual(server.messages.map((message) => message.text), ["The soup was cold", "And late"]);
});

test("A message the server refuses is shown as failed and goes when asked to", async () => {
  const { server, session } = await given();
  server.refusals = [422];
  session.send("hello", "c1");
  await until(() => session.thread.items[0]?.state === "failed");

  session.retry("c1");
  await until(() => server.messages.length === 1 && session.thread.unsent.length === 0);

  assert.deepEqual(texts(session), ["hello"]);
});

test("Nothing said while the line was broken is lost", async () => {
  const { server, session } = await given();
  session.connect();
  await until(() => session.online);

  server.breakLines();
  server.say("bot", "How was everything?");
  await until(() => session.thread.items.length === 1);

  assert.deepEqual(texts(session), ["How was everything?"]);
  assert.equal(session.unread, 1);
});

test("A reload resumes the conversation, with the messages that had not left yet", async () => {
  const { server, session, memory, kept } = await given();
  session.connect();
  await until(() => session.online);
  server.say("bot", "How was everything?");
  await until(() => session.thread.items.length === 1);
  session.markRead();
  session.disconnect();
  kept.unsent = [{ client_id: "c9", text: "Fine, I guess", at: new Date().toISOString() }];

  const reloaded = follow(server, memory);
  reloaded.connect();
  await until(() => reloaded.online && server.messages.length === 2 && reloaded.thread.unsent.length === 0);

  assert.equal(server.sessions, 1);
  assert.equal(reloaded.unread, 0);
  assert.deepEqual(texts(reloaded), ["How was everything?", "Fine, I guess"]);
});

test("An answer that was lost makes no second message", async () => {
  const { server, session } = await given();
  server.lost = 2;

  session.send("The soup was cold");
  session.send("And late");
  await until(() => session.thread.unsent.length === 0 && session.online);

  assert.deepEqual(server.messages.map((message) => message.text), ["The soup was cold", "And late"]);
  assert.deepEqual(texts(session), ["The soup was cold", "And late"]);
});

test("However long there is no connection, what was written leaves when it is back, in order and without being asked", async () => {
  const { server, session } = await given();
  session.connect();
  await until(() => session.online);
  server.down = true;
  server.breakLines();

  session.send("one");
  session.send("two");
  let tries = 0;
  server.http.on("request", () => tries++);
  await until(() => tries > 30 && !session.online);
  assert.deepEqual(session.thread.items.map((message) => message.state), ["sending", "sending"]);
  server.say("agent", "Sam here."); // it did not get through to anybody
  server.down = false;
  await until(() => session.thread.unsent.length === 0 && session.online && session.thread.items.every(({ state }) => !state));

  assert.deepEqual(texts(session), ["Sam here.", "one", "two"]);
});

test("When the network is back nobody waits for the end of a pause", async () => {
  const { server, memory } = await given();
  const session = new ChatSession({ base: server.base, memory, sleep: () => new Promise(() => {}) });
  open.push(session);
  server.down = true;
  session.send("are you there?");
  await until(() => session.thread.items[0].state === "sending");
  await new Promise((done) => setTimeout(done, 50));

  server.down = false;
  session.reconnect();
  await until(() => server.messages.length === 1 && session.online);

  assert.deepEqual(texts(session), ["are you there?"]);
});

test("Two tabs are one conversation: what is written in one stands once in the other, in the same order", async () => {
  const { server, session, memory } = await given();
  const other = follow(server, memory);
  session.connect();
  await until(() => session.online);
  other.connect();
  await until(() => other.online);

  session.send("from one");
  other.send("from the other");
  server.say("bot", "Thank you.");
  const settled = (tab) => tab.thread.items.length === 3 && tab.thread.items.every(({ state }) => !state);
  await until(() => settled(session) && settled(other));

  assert.equal(server.sessions, 1);
  assert.deepEqual(texts(other), texts(session));
  assert.deepEqual(texts(session), server.messages.map((message) => message.text));
});

test("Two tabs that begin at the same moment begin one conversation", async () => {
  const { server, memory } = await given();
  let turn = Promise.resolve();
  const exclusively = (work) => (turn = turn.then(work)); // as the browser's locks do
  const tabs = [1, 2].map(() => new ChatSession({ base: server.base, memory, exclusively, sleep: () => new Promise(setImmediate) }));
  open.push(...tabs);

  for (const tab of tabs) tab.connect();
  await until(() => tabs.every((tab) => tab.online));

  assert.equal(server.sessions, 1);
});

test("A tab does not forget what another has written and not sent", async () => {
  const { server, session, memory, kept } = await given();
  const other = follow(server, memory);
  other.connect();
  await until(() => other.online);
  session.connect();
  await until(() => session.online);
  server.down = true;
  server.breakLines();

  session.send("typed in the tunnel", "c1");
  other.send("typed elsewhere", "c2");
  assert.deepEqual(kept.unsent.map((message) => message.client_id), ["c1", "c2"]);
  session.disconnect();
  other.disconnect();
  server.down = false;
  const reloaded = follow(server, memory);
  reloaded.connect();
  await until(() => server.messages.length === 2 && kept.unsent.length === 0);

  assert.deepEqual(server.messages.map((message) => message.text), ["typed in the tunnel", "typed elsewhere"]);
});

test("Reading never goes back, whichever tab says it", async () => {
  const { server, session, memory, kept } = await given();
  session.connect();
  await until(() => session.online);
  const behind = follow(server, memory);
  behind.connect();
  await until(() => behind.online);
  server.say("bot", "one");
  await until(() => behind.unread === 1 && session.unread === 1);
  behind.disconnect();
  server.say("bot", "two");
  await until(() => session.unread === 2);

  session.markRead();
  behind.markRead();
  behind.connect();
  await until(() => behind.thread.items.length === 2);
  behind.readElsewhere();

  assert.equal(kept.read, "m2");
  assert.equal(behind.unread, 0);
});

test("A server that does not know our last message any more tells the whole thread", async () => {
  const { server, session } = await given();
  session.connect();
  await until(() => session.online);
  server.say("bot", "before");
  await until(() => session.thread.items.length === 1);
  server.messages.length = 0;
  server.messages.push({ id: "x1", author: "bot", name: null, text: "after", at: new Date().toISOString() });
  server.breakLines();
  await until(() => session.thread.items.length === 2);

  assert.deepEqual(texts(session), ["before", "after"]);
});

test("A token that is no longer good is replaced without a word to the customer", async () => {
  const { server, session, kept } = await given();
  server.sessions = 4; // tokens t1..t3 have been withdrawn
  kept.token = "t1";

  const again = follow(server, { load: () => kept, save: (fields) => Object.assign(kept, fields) });
  again.send("still here?");
  await until(() => server.messages.length === 1 && again.thread.unsent.length === 0);

  assert.equal(server.messages[0].text, "still here?");
  session.disconnect();
});

test("An agent who takes over is named, and typing is shown until they have spoken", async () => {
  const { server, session } = await given();
  session.connect();
  await until(() => session.online);

  server.tell("owner", { owner: "agent", name: "Sam" });
  server.tell("typing", { author: "agent", name: "Sam" });
  await until(() => session.typing === "Sam");
  assert.deepEqual(session.owner, { owner: "agent", name: "Sam" });

  server.say("agent", "Robin, I am on it.");
  await until(() => session.typing === null);
  assert.deepEqual(texts(session), ["Robin, I am on it."]);
});

test("Attempts are spaced further and further apart, up to half a minute", () => {
  assert.equal(pause(0, () => 1), 500);
  assert.equal(pause(3, () => 1), 4000);
  assert.equal(pause(30, () => 1), 30000);
});

test("An identity is one person however often its token is signed anew", () => {
  const token = (claims) => `h.${btoa(JSON.stringify(claims))}.s`;

  assert.equal(subject(token({ sub: "c-77", iat: 1 })), subject(token({ sub: "c-77", iat: 2 })));
  assert.equal(subject("opaque"), "opaque");
});
