import assert from "node:assert/strict";
import { test } from "node:test";
import { keysOf, languages, say, wordsFor } from "../src/widget/words.js";

test("Every language says everything that English says", () => {
  for (const language of languages) assert.deepEqual(keysOf(language), keysOf("en"), language);
});

test("The nearest language is spoken, and English when none is near", () => {
  assert.equal(wordsFor("tr-TR").send, "Gönder");
  assert.equal(wordsFor("sr-Cyrl-RS").send, "Пошаљи");
  assert.equal(wordsFor("sr-Latn").send, "Pošalji");
  assert.equal(wordsFor("xx").language, "en");
});

test("Persian is written from the right", () => {
  assert.equal(wordsFor("fa-IR").dir, "rtl");
  assert.equal(wordsFor("de").dir, "ltr");
});

test("Counts follow the plural rules of the language", () => {
  assert.equal(say(wordsFor("en"), "unread", { count: 1 }), "1 new message");
  assert.equal(say(wordsFor("sr"), "unread", { count: 3 }), "3 nove poruke");
  assert.equal(say(wordsFor("tr"), "unread", { count: 2 }), "2 yeni mesaj");
});
