// Parts of a page are loaded again when the server tells that they changed. `data-live` names what a part waits for,
// `data-video` of which video; the part says by htmx what it loads. Without a stream all parts look now and then.

const SLOW = 15_000;
const APART = 1_500;

const last = new WeakMap();
let source = null;
let polling = 0;

const parts = () => [...document.querySelectorAll("[data-live]")];

function wake(part) {
  const wait = (last.get(part) ?? 0) + APART - Date.now();
  if (wait > APART) return; // it is about to be loaded
  last.set(part, Date.now() + Math.max(wait, 0));
  setTimeout(() => { if (part.isConnected) window.htmx.trigger(part, "live"); }, Math.max(wait, 0));
}

function hear(message) {
  const told = JSON.parse(message.data);
  for (const part of parts()) {
    if (!part.dataset.live.split(" ").includes(told.kind)) continue;
    if (part.dataset.video && Number(part.dataset.video) !== told.video) continue;
    wake(part);
  }
}

function poll(wanted) {
  clearInterval(polling);
  polling = wanted ? setInterval(() => { if (!document.hidden) parts().forEach(wake); }, SLOW) : 0;
}

// A browser holds few connections to a server: pages that nobody sees give theirs back.
function open() {
  if (source || document.hidden || !parts().length) return;
  source = new EventSource("/live");
  source.addEventListener("open", () => {
    poll(false);
    document.documentElement.dataset.stream = "open";
    parts().forEach(wake); // something may have changed after the page was made, and before it listened
  });
  source.addEventListener("message", hear);
  source.addEventListener("error", () => { delete document.documentElement.dataset.stream; if (!polling) poll(true); });
}

function close() {
  source?.close();
  source = null;
  poll(false);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return close();
  open();
});
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", open);
document.addEventListener("htmx:load", open);

// Who was at a button keeps it, though the part around it is new.
let focused = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  const at = document.activeElement;
  focused = event.detail.target.contains(at) && at !== document.body
    ? ["id", "aria-label", "href"].filter((name) => at.getAttribute(name)).map((name) => `[${name}="${CSS.escape(at.getAttribute(name))}"]`)[0]
    : null;
});
document.addEventListener("htmx:afterSettle", () => {
  if (focused && document.activeElement === document.body) document.querySelector(focused)?.focus({ preventScroll: true });
  focused = null;
});
open();

// On a narrow screen the page that is open is in sight among the others.
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
