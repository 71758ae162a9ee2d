/** What helps while a reply is written: the playbook's words at a click, and no hints left over once it is sent. */
export function bindDrafts() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-insert]");
    const reply = document.getElementById("reply");
    const words = link && document.getElementById(link.dataset.insert)?.textContent.trim();
    if (!reply || !words) return;
    event.preventDefault();
    reply.value = reply.value.trim() ? `${reply.value.trimEnd()}\n${words}` : words;
    reply.focus();
    reply.dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.addEventListener("reset", ({ target }) => {
    if (target.contains(document.getElementById("reply"))) document.getElementById("findings")?.replaceChildren();
  });
}
