// The desk works as plain pages; this makes them live. Everything that changes is fetched as a page and morphed in.
import htmx from "htmx.org/dist/htmx.esm.js";
import "htmx.org/dist/ext/hx-sse.js";
import { bindKeys } from "./keys.js";
import { watchLine, announceNewRows, keepScroll } from "./live.js";

htmx.config.morphIgnore.push("open"); // an unfolded <details> stays unfolded when its page is refreshed
htmx.config.history = false;

watchLine();
announceNewRows();
keepScroll();
bindKeys();

/** A form that succeeded starts afresh; one that was refused keeps its words. */
document.addEventListener("htmx:after:request", ({ target, detail: { ctx } }) => {
  const response = ctx?.response?.raw;
  if (response?.redirected && new URL(response.url).pathname === "/desk/login") return location.assign("/desk/login");
  const form = target.closest?.("form[data-reset]");
  if (form && response?.ok) form.reset();
});

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
