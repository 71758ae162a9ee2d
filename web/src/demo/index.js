// "Signed in as": asks the business's site for a signed identity and gives it to the widget, as a real site would do in its page.
const KEPT = "demo-customer";
const picker = document.getElementById("customer");
const problem = document.getElementById("who-problem");

async function signIn(customer) {
  problem.textContent = "";
  const chat = document.querySelector("afterword-chat");
  if (!chat) return;
  try {
    chat.identity = customer ? await identityOf(customer) : undefined;
    chat.language = picker.selectedOptions[0]?.dataset.language || document.documentElement.lang;
    sessionStorage.setItem(KEPT, customer);
  } catch {
    problem.textContent = "Signing in did not work.";
  }
}

async function identityOf(customer) {
  const response = await fetch(`/demo/identity?customer=${encodeURIComponent(customer)}`);
  if (!response.ok) throw new Error(`the site answered ${response.status}`);
  return (await response.json()).identity;
}

picker.addEventListener("change", () => signIn(picker.value));
document.getElementById("who").addEventListener("submit", (event) => event.preventDefault());

const wanted = new URLSearchParams(location.search).get("customer") ?? sessionStorage.getItem(KEPT);
if (wanted && [...picker.options].some((option) => option.value === wanted)) {
  picker.value = wanted;
  void signIn(wanted);
}
