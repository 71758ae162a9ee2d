const WORDS = { up: "Live", down: "Reconnecting…" };

/** Shows whether the page is live. What passed while it was not comes with the first event of the new line. */
export function watchLine() {
  const line = document.getElementById("line");
  const show = (state) => {
    if (line.dataset.line === state) return;
    line.dataset.line = state;
    line.textContent = WORDS[state];
  };
  document.addEventListener("htmx:sse:after:connection", ({ detail }) => show(detail.connection.status === 200 ? "up" : "down"));
  document.addEventListener("htmx:sse:error", () => show("down"));
  document.addEventListener("htmx:sse:close", ({ detail }) => detail.reason === "ended" && show("down"));
}

/** Tells a screen reader which cases have come into the list; the list itself is no live region, it would read it all. */
export function announceNewRows() {
  const announcer = document.getElementById("announcer");
  const rows = () => [...document.querySelectorAll(".queue-row")];
  let known = new Set(rows().map((row) => row.id));
  document.addEventListener("htmx:after:swap", () => {
    const fresh = rows().filter((row) => !known.has(row.id));
    if (fresh.length) announcer.textContent = `New case: ${fresh.map((row) => row.dataset.name).join(", ")}`;
    known = new Set(rows().map((row) => row.id));
  });
}

/** The thread stays at its end when it was there, so that the newest words are in view. */
export function keepScroll() {
  const box = () => document.querySelector("[data-stick]");
  const toEnd = () => box() && (box().scrollTop = box().scrollHeight);
  let atEnd = true;
  document.addEventListener("htmx:before:swap", () => {
    const thread = box();
    atEnd = !thread || thread.scrollHeight - thread.scrollTop - thread.clientHeight < 64;
  });
  document.addEventListener("htmx:after:swap", () => atEnd && toEnd());
  toEnd();
}
