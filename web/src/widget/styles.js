import { css } from "lit";

// Everything a business may want to change is a --afterword-* variable that its own page can set.
export const styles = css`
  :host {
    --accent: var(--afterword-accent, #1d5f5a);
    --accent-ink: var(--afterword-accent-ink, #fff);
    --surface: var(--afterword-surface, #fff);
    --backdrop: var(--afterword-backdrop, #f6f4f0);
    --ink: var(--afterword-ink, #1e2527);
    --quiet: var(--afterword-quiet, #566165);
    --line: var(--afterword-line, #ddd8ce);
    --edge: #7b8589;
    --bad: #a3262a;
    --focus: #0b57d0;
    color-scheme: light;
    position: fixed;
    inset-block-end: max(1rem, env(safe-area-inset-bottom));
    inset-inline-end: max(1rem, env(safe-area-inset-right));
    z-index: var(--afterword-z, 2147483000);
    font: var(--afterword-font, 400 0.9375rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
    color: var(--ink);
    text-align: start;
  }
  :host([position="left"]) { inset-inline: max(1rem, env(safe-area-inset-left)) auto; }
  :host([theme="dark"]) {
    --surface: var(--afterword-surface, #1c2225);
    --backdrop: var(--afterword-backdrop, #14191b);
    --ink: var(--afterword-ink, #eae7e1);
    --quiet: var(--afterword-quiet, #a9b3b6);
    --line: var(--afterword-line, #343d41);
    --edge: #87949a;
    --bad: #ff9d98;
    --focus: #a8c7fa;
    color-scheme: dark;
  }
  *, *::before { box-sizing: border-box; }
  [hidden] { display: none !important; }
  button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
  :focus { outline: none; }
  :focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }

  .launcher {
    display: grid; place-items: center; position: relative;
    inline-size: 3.5rem; block-size: 3.5rem; border-radius: 50%; margin-inline-start: auto;
    background: var(--accent); color: var(--accent-ink);
    box-shadow: 0 2px 6px rgb(0 0 0 / 0.18), 0 8px 24px rgb(0 0 0 / 0.16);
    transition: transform 0.15s ease;
  }
  .launcher:hover { transform: translateY(-2px); }
  .launcher svg { inline-size: 1.625rem; block-size: 1.625rem; }
  .badge {
    position: absolute; inset-block-start: -0.25rem; inset-inline-end: -0.25rem;
    min-inline-size: 1.375rem; padding-inline: 0.3125rem; border-radius: 1rem;
    background: #b3261e; color: #fff; border: 2px solid var(--surface);
    font-size: 0.75rem; font-weight: 650; line-height: 1.125rem; text-align: center;
  }
  .panel {
    display: flex; flex-direction: column; overflow: hidden;
    inline-size: min(23.5rem, calc(100vw - 2rem)); block-size: min(36rem, calc(100dvh - 2rem));
    background: var(--backdrop); border: 1px solid var(--line); border-radius: 1rem;
    box-shadow: 0 4px 12px rgb(0 0 0 / 0.1), 0 16px 48px rgb(0 0 0 / 0.2);
    animation: rise 0.18s ease-out;
  }
  @keyframes rise { from { opacity: 0; transform: translateY(0.5rem); } }
  header {
    display: flex; align-items: center; gap: 0.75rem; padding: 0.875rem 0.75rem 0.875rem 1rem;
    padding-inline: 1rem 0.75rem; background: var(--accent); color: var(--accent-ink);
  }
  header div { flex: 1; min-inline-size: 0; }
  h2 { margin: 0; font-size: 1rem; font-weight: 650; line-height: 1.3; overflow-wrap: anywhere; }
  header p { margin: 0; font-size: 0.8125rem; line-height: 1.35; }
  .icon { display: grid; place-items: center; inline-size: 2.5rem; block-size: 2.5rem; border-radius: 50%; flex: none; }
  .icon svg { inline-size: 1.25rem; block-size: 1.25rem; }
  header .icon:hover { background: rgb(128 128 128 / 0.25); }
  header .icon:focus-visible { outline-color: currentColor; outline-offset: -2px; }

  .thread { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 1rem; scroll-padding: 1rem; }
  ol { list-style: none; margin: 0; padding: 0; display: flex; flex-direction: column; gap: 0.25rem; }
  li { display: flex; flex-direction: column; align-items: flex-start; max-inline-size: 85%; align-self: flex-start; }
  li.customer { align-self: flex-end; align-items: flex-end; }
  li.turn { margin-block-start: 0.625rem; }
  li.day { align-self: center; max-inline-size: none; margin-block: 0.75rem 0.25rem; color: var(--quiet); font-size: 0.75rem; }
  li.day:first-child { margin-block-start: 0; }
  .name { color: var(--quiet); font-size: 0.75rem; margin-inline: 0.25rem; margin-block-end: 0.1875rem; }
  .text {
    margin: 0; padding: 0.5rem 0.8125rem; border-radius: 1.125rem; border-end-start-radius: 0.3125rem;
    background: var(--surface); border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere;
  }
  .customer .text {
    background: var(--accent); color: var(--accent-ink); border-color: transparent;
    border-radius: 1.125rem; border-end-end-radius: 0.3125rem;
  }
  .failed .text { opacity: 0.75; }
  .meta { color: var(--quiet); font-size: 0.75rem; margin: 0.1875rem 0.25rem 0; }
  .meta button { min-block-size: 1.5rem; padding-inline: 0.375rem; text-decoration: underline; font-weight: 600; }
  .failed .meta { color: var(--bad); }
  .greeting { margin: auto; padding: 1rem; text-align: center; color: var(--quiet); }
  .status { min-block-size: 1.25rem; padding: 0 1rem 0.375rem; margin: 0; color: var(--quiet); font-size: 0.8125rem; }
  .status:empty { display: none; }

  form { display: flex; align-items: flex-end; gap: 0.5rem; padding: 0.75rem; background: var(--surface); border-block-start: 1px solid var(--line); }
  textarea {
    flex: 1; min-inline-size: 0; resize: none; field-sizing: content; min-block-size: 2.5rem; max-block-size: 7.5rem;
    padding: 0.5rem 0.8125rem; font: inherit; font-size: 1rem; color: inherit; background: var(--surface);
    border: 1px solid var(--edge); border-radius: 1.25rem;
  }
  textarea::placeholder { color: var(--quiet); opacity: 1; }
  textarea:focus-visible { outline-offset: 0; }
  .send { background: var(--accent); color: var(--accent-ink); }
  [dir="rtl"] .flip { transform: scaleX(-1); }
  .quiet {
    position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
  }
  @media (max-width: 30rem), (max-height: 30rem) {
    :host([open]) { inset: 0; }
    .panel { inline-size: 100%; block-size: 100dvh; border: 0; border-radius: 0; }
  }
  @media (prefers-reduced-motion: reduce) {
    .panel { animation: none; }
    .launcher { transition: none; }
  }
  @media (forced-colors: active) {
    .launcher, .text, .send { border: 1px solid ButtonText; }
  }
`;
