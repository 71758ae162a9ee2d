// What the simulator asks of the edge. Every failure becomes an Error whose message can be shown.
async function call(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("Afterword could not be reached. Is it running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail || answer.title || `Afterword answered ${response.status}.`);
  return answer;
}

export const people = async () => (await call("/simulator/people")).items;
export const messages = async (phone) => (await call(`/simulator/messages?phone=${encodeURIComponent(phone)}`)).items;
export const write = (from, body) => call("/simulator/messages", { from, body });
export const finishService = (event) => call("/simulator/service-events", event);
export const misbehave = (mode, times, phone) => call("/simulator/faults", { mode, times, phone });

/** Calls `onMessage` for everything that reaches or leaves a phone, and `onBreak(true|false)` as the line falls and stands. */
export function follow(onMessage, onBreak) {
  const events = new EventSource("/simulator/events");
  events.addEventListener("message", ({ data }) => onMessage(JSON.parse(data)));
  events.addEventListener("open", () => onBreak(false));
  events.addEventListener("error", () => onBreak(true));
}
