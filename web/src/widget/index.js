import { AfterwordChat } from "./chat.js";

const NAMES = ["business", "language", "identity", "color", "theme", "position", "storage"];

/** Where Afterword answers, from the address its script came from: a path in front of it is kept. */
export function baseOf(src) {
  const url = new URL(src);
  return new URL(url.pathname.replace(/(static\/dist\/)?[^/]*$/, ""), url.origin).href;
}

function embed(script) {
  if (!customElements.get("afterword-chat")) customElements.define("afterword-chat", AfterwordChat);
  if (!script?.src || document.querySelector("afterword-chat")) return;
  const chat = document.createElement("afterword-chat");
  chat.base = baseOf(script.src);
  for (const name of NAMES) if (script.dataset[name]) chat[name] = script.dataset[name];
  document.body.append(chat);
}

const script = document.currentScript; // null once this file has run
if (document.body) embed(script);
else addEventListener("DOMContentLoaded", () => embed(script));
