import { html, nothing, svg } from "lit";
import { repeat } from "lit/directives/repeat.js";

const LANGUAGES = { en: "English", tr: "Türkçe", el: "Ελληνικά", fa: "فارسی", sr: "Srpski", "sr-Latn": "Srpski", "sr-Cyrl": "Српски", es: "Español", de: "Deutsch" };
const STATUS = { queued: "Queued", accepted: "Queued", sending: "Sending", sent: "Sent", delivered: "Delivered", received: "Sent", read: "Read", undelivered: "Not delivered", failed: "Not delivered" };
const ANSWERS = {
  en: ["It was lovely, thank you", "fine i guess", "Good food but we waited almost an hour", "Can someone call me?", "STOP"],
  tr: ["Her şey çok güzeldi, teşekkürler", "idare eder", "Yemek güzeldi ama neredeyse bir saat bekledik", "Biri beni arayabilir mi?", "DUR"],
  el: ["Όλα υπέροχα, ευχαριστώ", "καλά ήταν", "Ωραίο φαγητό, αλλά περιμέναμε σχεδόν μία ώρα", "ΣΤΟΠ"],
  fa: ["عالی بود، ممنون", "بد نبود", "غذا خوب بود ولی نزدیک یک ساعت منتظر ماندیم", "لغو"],
  sr: ["Sve je bilo divno, hvala", "pa dobro", "Hrana je dobra, ali smo čekali skoro sat vremena", "STOP"],
  "sr-Cyrl": ["Све је било дивно, хвала", "па добро", "Храна је добра, али смо чекали скоро сат времена", "СТОП"],
  es: ["Todo estupendo, gracias", "bueno, normal", "Rico, pero esperamos casi una hora", "STOP"],
  de: ["Es war wunderbar, danke", "ging so", "Essen gut, aber wir haben fast eine Stunde gewartet", "STOP"],
};
const SCENARIOS = [
  ["on_time", "On time", "Everything went as planned. Nothing is known to be wrong."],
  ["late", "55 minutes late", "The table was promised in 20 minutes. Operations know."],
  ["remade", "A dish was remade", "It came back once. The kitchen noted it."],
];
const FAULTS = [
  ["timeout", "Take it and never answer"], ["500", "Answer 500, take nothing"], ["500_after", "Take it and answer 500"],
  ["429", "Answer 429, slow down"], ["503", "Answer 503, come back later"], ["21610", "Refuse: 21610, opted out"],
  ["21610_later", "Take it, then report 21610"], ["30003", "Take it, then report 30003, unreachable"],
  ["early_status", "Report before answering"], ["late_status", "Report in the wrong order"], ["slow_status", "Report late"],
  ["lost_status", "Report nothing"], ["duplicate", "Call the webhook twice"],
];

const initials = (name) => name.split(/\s+/).slice(0, 2).map((word) => [...word][0]).join("");
const clock = (at) => new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }).format(new Date(at));

function localClock(zone) {
  try {
    return new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", timeZone: zone }).format(new Date());
  } catch {
    return "";
  }
}

const about = (person) =>
  [LANGUAGES[person.language] ?? person.language, person.stranger ? person.phone : localClock(person.time_zone)].filter(Boolean);
const answersOf = ({ language }) => ANSWERS[language] ?? ANSWERS[language?.split("-")[0]] ?? ANSWERS.en;

export function peopleView({ phones }, act) {
  return html`<section aria-labelledby="people-title">
    <h2 id="people-title">Customers</h2>
    <ul class="people" role="list">
      ${repeat(phones.people, (person) => person.phone, (person) => html`<li>
        <button type="button" aria-pressed=${person.phone === phones.current} @click=${() => act.choose(person.phone)}>
          <span class="face" aria-hidden="true">${initials(person.name)}</span>
          <span><span class="who" dir="auto">${person.name}</span><br>
            <span class="about">${about(person).map((part, index) => html`${index ? " · " : ""}<bdi>${part}</bdi>`)}</span></span>
          ${person.unread ? html`<span class="count">${person.unread}<span class="hush"> new</span></span>` : nothing}
        </button></li>`)}
    </ul>
    <form class="stranger stack tight" @submit=${act.addStranger}>
      <div class="field"><label for="stranger">Write as someone unknown</label>
        <input class="input" id="stranger" name="phone" type="tel" inputmode="tel" placeholder="+1 555 010 0199" required></div>
      <button class="button small">Take this phone</button>
    </form>
  </section>`;
}

export function phoneView({ phones, business, sending, problem, broken }, act) {
  const { person, thread } = phones;
  if (!person) return html`<section class="phone"><div class="screen"><p class="empty">Nobody here yet.</p></div></section>`;
  const direction = person.language === "fa" ? "rtl" : "ltr";
  return html`<section class="phone" aria-label=${`${person.name}’s phone`}><div class="screen" dir=${direction}>
    <header><span class="face small" aria-hidden="true">${initials(business)}</span>
      <span><span class="name">${business}</span><br><span class="tiny quiet" dir="auto">on ${person.name}’s phone</span></span></header>
    <div class="messages" role="log" aria-label="Messages" tabindex="0">
      <ol class="thread" role="list">${thread.length ? repeat(thread, (message) => message.sid, (message, index) => bubble(message, thread[index - 1], index === thread.length - 1))
        : html`<li class="event">No messages yet. Let a service finish, or write first.</li>`}</ol>
    </div>
    ${problem ? html`<p class="flash bad" role="alert">${problem}</p>` : nothing}
    ${broken ? html`<p class="flash warn" role="status">The live line broke. Asking again every few seconds.</p>` : nothing}
    <div class="quick" role="group" aria-label="Ready answers">${answersOf(person).map((text) => html`<button type="button" dir="auto" @click=${() => act.write(text)}>${text}</button>`)}</div>
    <form @submit=${act.submit} @keydown=${act.submitOnEnter}>
      <textarea class="input" name="body" rows="1" maxlength="1600" dir="auto" aria-label=${`Write as ${person.name}`} placeholder="Text message"></textarea>
      <button class="button primary send" aria-label="Send" ?disabled=${sending}><svg class="flip" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${svg`<path d="M4 12h14M12 5.5l6.500 6.500-6.500 6.500"/>`}</svg></button>
    </form></div></section>`;
}

function bubble(message, before, last) {
  const mine = message.direction === "in";
  const bad = ["failed", "undelivered"].includes(message.status);
  const turn = before?.direction !== message.direction;
  return html`<li class=${`${mine ? "mine" : ""} ${turn ? "turn" : ""}`}>
    <span class="hush">${mine ? "Customer" : "Business"}</span>
    <p class="bubble" dir="auto">${message.body}</p>
    ${last || bad || (turn && !mine) ? html`<span class=${`meta ${bad ? "bad" : ""}`}><time datetime=${message.at}>${clock(message.at)}</time>${STATUS[message.status] ? ` · ${STATUS[message.status]}` : ""}</span>` : nothing}
  </li>`;
}

export function worldView({ phones, sites, outcome, worldProblem, faulted }, act) {
  const known = phones.people.filter((person) => !person.stranger);
  return html`<div class="world">
    <form class="card stack" @submit=${act.finish}>
      <div class="stack tight"><h2 class="title">A service has just finished</h2>
        <p class="quiet small">The business’s own system reports it; Afterword decides whether, when and how to ask.</p></div>
      <div class="fields">
        <div class="field"><label for="customer">Customer</label><select class="input" id="customer" name="phone" @change=${(event) => act.choose(event.target.value)}>
          ${known.map((person) => html`<option value=${person.phone} .selected=${person.phone === phones.current}>${person.name}</option>`)}</select></div>
        <div class="field"><label for="site">Site</label><select class="input" id="site" name="site">
          ${sites.map((site) => html`<option value=${site.code} .selected=${site.code === phones.person?.site}>${site.name}</option>`)}</select></div>
      </div>
      <fieldset class="stack tight"><legend class="label">What happened</legend><div class="scenarios">
        ${SCENARIOS.map(([value, title, text], index) => html`<label class="scenario"><input type="radio" name="scenario" value=${value} ?checked=${index === 0}><span><span class="title">${title}</span><span class="small quiet">${text}</span></span></label>`)}</div></fieldset>
      <fieldset class="stack tight"><legend class="label">Ask over</legend><div class="choices">
        <label class="choice"><input type="radio" name="channel" value="sms" checked><span>SMS</span></label>
        <label class="choice"><input type="radio" name="channel" value="webchat"><span>Web chat</span></label></div></fieldset>
      <button class="button primary">Finish the service</button>
      <div role="status">${worldProblem ? html`<p class="flash bad">${worldProblem}</p>` : outcome ? outcomeView(outcome) : nothing}</div>
    </form>
    <details class="card flat snug fold"><summary>Make Twilio misbehave</summary>
      <form class="stack" @submit=${act.misbehave}>
        <p class="small quiet">The look-alike answers the next requests as the real one sometimes does.</p>
        <div class="fields"><div class="field"><label for="mode">How</label><select class="input" id="mode" name="mode">${FAULTS.map(([value, name]) => html`<option value=${value}>${name}</option>`)}</select></div>
          <div class="field"><label for="times">How often</label><input class="input" id="times" name="times" type="number" min="1" max="20" value="1" required></div></div>
        <label class="choice"><input type="checkbox" name="only"><span>For this phone only</span></label>
        <button class="button">Misbehave</button><p class="small" role="status">${faulted}</p>
      </form></details>
  </div>`;
}

const said = ({ state, due_at }) =>
  state === "planned" && due_at ? `Check-in planned for ${clock(due_at)}.` : `Check-in ${state.replaceAll("_", " ")}.`;

function outcomeView({ event, channel }) {
  const checkIn = event.check_in;
  const trace = checkIn?.trace ?? [];
  const asked = checkIn && !["skipped", "failed"].includes(checkIn.state);
  return html`<div class="stack tight"><p class=${`flash ${asked ? "good" : "warn"}`}><span>${!checkIn ? "Recorded." : asked ? said(checkIn) : "Nobody is asked this time."}
      ${channel === "webchat" ? html` <a href="/demo">Open the demo site</a> as this customer to answer.` : nothing}</span></p>
    ${trace.length ? html`<details class="fold"><summary class="small">Why</summary><ul class="trace">${trace.map((step) => html`<li>${step.rule.replaceAll("_", " ")}: ${step.outcome}${step.reason ? html`, <span class="quiet">${step.reason}</span>` : nothing}</li>`)}</ul></details>` : nothing}
  </div>`;
}
