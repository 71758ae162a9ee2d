const links = () => [...document.querySelectorAll(".queue-row a.open")];

function step(by) {
  const all = links();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
}

function unfold(key) {
  const target = document.querySelector(`[data-key="${key}"]`);
  if (!target) return;
  const fold = target.closest("details");
  if (fold) fold.open = true;
  (fold?.querySelector("select, input:not([type=hidden]), textarea") ?? target).focus();
}

const showKeys = () => document.getElementById("keys")?.showModal();

const ACTIONS = {
  j: () => step(1),
  k: () => step(-1),
  r: () => unfold("r"),
  g: () => unfold("g"),
  u: () => document.querySelector("[data-back]")?.click(),
  "?": showKeys,
};

/** Single keys act only outside of fields, and never with a modifier: those belong to the browser and to readers. */
export function bindKeys() {
  const button = document.getElementById("show-keys");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", showKeys);
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.("input, textarea, select, dialog, [contenteditable]")) return;
    const action = ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
