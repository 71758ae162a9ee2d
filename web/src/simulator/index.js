import { html, render } from "lit";
import * as server from "./server.js";
import { Phones } from "./phones.js";
import { peopleView, phoneView, worldView } from "./views.js";

const POLL = 3000; // ms, only while the live line is down

const main = document.getElementById("main");
const root = document.getElementById("simulator");
const state = {
  phones: new Phones(), business: main.dataset.business || "Harbour Kitchen",
  sites: JSON.parse(main.dataset.sites || "[]"), sending: false, broken: false, problem: "", outcome: null, worldProblem: "", faulted: "",
};

function draw() {
  const scroller = root.querySelector(".messages");
  const atEnd = !scroller || scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 64;
  render(html`${peopleView(state, act)}${phoneView(state, act)}${worldView(state, act)}`, root);
  const now = root.querySelector(".messages");
  if (now && atEnd) now.scrollTop = now.scrollHeight;
}

const set = (changes) => (Object.assign(state, changes), draw());
const form = (event) => (event.preventDefault(), Object.fromEntries(new FormData(event.currentTarget)));

/** Reads the current phone again: after a choice, a broken line, or a write. */
async function refresh() {
  const phone = state.phones.current;
  if (!phone) return;
  try {
    state.phones.fill(await server.messages(phone));
    set({ problem: "" });
  } catch (error) {
    set({ problem: error.message });
  }
}

const act = {
  async choose(phone) {
    state.phones.choose(phone);
    set({ problem: "" });
    await refresh();
  },
  addStranger(event) {
    const phone = form(event).phone.replace(/[^\d+]/g, "");
    event.currentTarget.reset();
    state.phones.addStranger(phone.startsWith("+") ? phone : `+${phone}`);
    draw();
    return refresh();
  },
  async write(text) {
    const body = text.trim();
    if (!body) return;
    set({ sending: true, problem: "" });
    try {
      await server.write(state.phones.current, body);
      await refresh();
    } catch (error) {
      set({ problem: error.message });
    }
    set({ sending: false });
  },
  submit(event) {
    const { body } = form(event);
    event.currentTarget.reset();
    return act.write(body);
  },
  submitOnEnter(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.target.tagName !== "TEXTAREA") return;
    event.preventDefault();
    event.currentTarget.requestSubmit();
  },
  async finish(event) {
    const chosen = form(event);
    set({ outcome: null, worldProblem: "" });
    try {
      set({ outcome: { event: await server.finishService(chosen), channel: chosen.channel } });
    } catch (error) {
      set({ worldProblem: error.message });
    }
  },
  async misbehave(event) {
    const { mode, times, only } = form(event);
    try {
      await server.misbehave(mode, Number(times), only ? state.phones.current : undefined);
      set({ faulted: `The next ${times === "1" ? "request" : `${times} requests`} will meet it.` });
    } catch (error) {
      set({ faulted: error.message });
    }
  },
};

async function meet() {
  try {
    state.phones.meet(await server.people());
    draw();
  } catch (error) {
    set({ problem: error.message });
  }
}

/** Everything that may have passed unseen: at the start, and while the line was down. */
async function catchUp() {
  await meet();
  await refresh();
}

draw();
void catchUp();
server.follow(
  (message) => (state.phones.take(message), draw()),
  (broken) => {
    const back = state.broken && !broken;
    set({ broken });
    if (back) void catchUp();
  },
);
setInterval(() => state.broken && void catchUp(), POLL);
