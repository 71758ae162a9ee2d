// The desk works as plain pages; this makes them live. Everything that changes is fetched as a page and morphed in.
import htmx from "htmx.org/dist/htmx.esm.js";
import "htmx.org/dist/ext/hx-sse.js";
import { bindDrafts } from "./drafts.js";
import { bindKeys } from "./keys.js";
import { watchLine, announceNewRows, keepScroll } from "./live.js";

htmx.config.morphIgnore.push("open"); // an unfolded <details> stays unfolded when its page is refreshed
htmx.config.history = false;

watchLine();
announceNewRows();
keepScroll();
bindKeys();
bindDrafts();

/** A form that succeeded starts afresh; one that was refused keeps its words. */
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const response = ctx?.response?.raw;
  if (response?.redirected && new URL(response.url).pathname === "/desk/login") return location.assign("/desk/login");
  const sent = ctx?.sourceElement;
  if (!response?.ok || !sent?.matches("form[data-reset]")) return;
  // A live update may have put a new form in the place of the one that was sent, with the same fields in it.
  const form = sent.isConnected ? sent : document.querySelector(`form[action=${JSON.stringify(sent.getAttribute("action"))}]`);
  form?.reset();
});

/** A refused field keeps its message through live updates, until its form is sent again. */
document.addEventListener("htmx:before:request", ({ target }) => {
  if (!target.matches?.("form")) return;
  for (const field of document.querySelectorAll("[data-refused]")) field.removeAttribute("hx-morph-skip");
});

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
