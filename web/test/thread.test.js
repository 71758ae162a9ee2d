import assert from "node:assert/strict";
import { test } from "node:test";
import { Thread } from "../src/widget/thread.js";

const said = (id, text, author = "bot") => ({ id, author, text, at: "2026-11-21T12:00:00Z" });
const texts = (thread) => thread.items.map((message) => message.text);

test("Hearing the same message twice shows it once", () => {
  const thread = new Thread();

  const first = thread.merge([said("m1", "How was everything?")]);
  const again = thread.merge([said("m1", "How was everything?")]);

  assert.equal(first.length, 1);
  assert.equal(again.length, 0);
  assert.deepEqual(texts(thread), ["How was everything?"]);
});

test("A message that comes back on the stream before its POST is answered stands there once", () => {
  const thread = new Thread();
  thread.write("c1", "Cold soup", "2026-11-21T12:01:00Z");

  thread.merge([said("m2", "Cold soup", "customer")]);
  thread.confirm("c1", "m2");

  assert.deepEqual(texts(thread), ["Cold soup"]);
  assert.equal(thread.items[0].client_id, "c1");
  assert.deepEqual(thread.unsent, []);
});

test("Our own message never moves the cursor past something that is still on its way", () => {
  const thread = new Thread();
  thread.merge([said("m1", "How was everything?")]);
  thread.write("c1", "Slow", "2026-11-21T12:01:00Z");

  thread.confirm("c1", "m3");

  assert.equal(thread.cursor, "m1");
});

test("The server's order wins once it is known", () => {
  const thread = new Thread();
  thread.write("c1", "Slow", "2026-11-21T12:01:00Z");
  thread.confirm("c1", "m2");

  thread.merge([said("m1", "How was everything?"), said("m2", "Slow", "customer")]);

  assert.deepEqual(texts(thread), ["How was everything?", "Slow"]);
});

test("What failed waits to be tried again and is kept across a reload", () => {
  const thread = new Thread();
  thread.write("c1", "Slow", "2026-11-21T12:01:00Z");

  thread.mark("c1", "failed");

  assert.equal(thread.items[0].state, "failed");
  assert.deepEqual(thread.unsent, [{ client_id: "c1", text: "Slow", at: "2026-11-21T12:01:00Z" }]);
});

test("The cursor never moves back, whatever comes again", () => {
  const thread = new Thread();
  thread.merge([said("m1", "one"), said("m2", "two"), said("m3", "three")]);

  thread.merge([said("m1", "one")]);

  assert.equal(thread.cursor, "m3");
});

test("A message given up that had arrived after all stands there once", () => {
  const thread = new Thread();
  thread.write("c1", "Slow", "2026-11-21T12:01:00Z");
  thread.mark("c1", "failed");

  thread.merge([{ ...said("m1", "Slow", "customer"), client_id: "c1" }]);

  assert.deepEqual(texts(thread), ["Slow"]);
  assert.deepEqual(thread.unsent, []);
});
