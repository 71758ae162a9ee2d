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
      return json(200, { items: this.messages.slice(after + 1) });
    }
    if (this.refusals.length) return json(this.refusals.shift(), {});
    const { client_id, text } = JSON.parse(body);
    const known = this.messages.find((message) => message.client_id === client_id);
    return json(202, { id: (known ?? this.say("customer", text, client_id)).id });
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
