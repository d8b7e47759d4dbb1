// Reviewing by keyboard. A key presses the button that stands on the page, so both ways do the same.

const inField = (target) => target.closest("input, textarea, select, [contenteditable], dialog[open]");
const rows = () => [...document.querySelectorAll(".tagrow")];
const player = () => document.querySelector(".player video, .player audio");

let lastPlace = 0;

function here() {
  const focused = document.activeElement?.closest?.(".tagrow");
  return focused ? rows().indexOf(focused) : -1;
}

function select(place) {
  const all = rows();
  if (!all.length) return;
  lastPlace = Math.max(0, Math.min(place, all.length - 1));
  all[lastPlace].focus({ preventScroll: false });
}

function press(kind) {
  const all = rows();
  let place = here();
  if (place < 0) place = all.findIndex((row) => row.classList.contains("open"));
  if (place < 0) return;
  lastPlace = place;
  all[place].querySelector(`button.${kind}`)?.click();
}

function seek(seconds) {
  const media = player();
  if (!media) return;
  media.currentTime = seconds;
  media.play().catch(() => {});
}

const actions = {
  a: () => press("yes"),
  r: () => press("no"),
  x: () => press("bar"),
  j: () => select(here() + 1),
  k: () => select(here() < 0 ? 0 : here() - 1),
  ArrowDown: () => select(here() + 1),
  ArrowUp: () => select(here() < 0 ? 0 : here() - 1),
  u: () => document.querySelector("[data-undo]")?.click(),
  n: () => document.querySelector("[data-next]")?.click(),
  ArrowRight: () => document.querySelector("[data-next]")?.click(),
  p: () => { const media = player(); if (media) media.paused ? media.play().catch(() => {}) : media.pause(); },
  t: () => document.querySelector("#add-tag")?.focus(),
  s: () => rows()[here()]?.querySelector("[data-seek]")?.click(),
  "?": () => document.querySelector("#keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (!document.querySelector("[data-review]")) return;
  if (event.key === "Escape" && event.target.id === "add-tag") event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target)) return;
  if (["ArrowRight", "ArrowDown", "ArrowUp"].includes(event.key) && event.target.closest("video, audio")) return;
  const number = /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
  if (number) select(number - 1);
  else if (actions[event.key]) actions[event.key]();
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const moment = event.target.closest("[data-seek]");
  if (moment) seek(Number(moment.dataset.seek));
  const opener = event.target.closest("[data-open]");
  if (opener) document.querySelector(opener.dataset.open)?.showModal();
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
});

// After a verdict the next open tag below is selected, so that a row of tags is a row of key strokes. What is new on the
// page settles at once (see the settings of htmx): a key in between would send a form the plain way, and load the page anew.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "tags") return;
  const said = document.querySelector(".said .chip, .said .soft")?.textContent ?? "";
  document.querySelector("[data-spoken]").textContent = said; // it stays on the page, so that it is read out
  const all = rows();
  const byKey = document.activeElement === document.body || here() >= 0;
  if (!all.length || !byKey) return;
  const next = all.findIndex((row, place) => place > lastPlace && row.classList.contains("open"));
  select(next >= 0 ? next : lastPlace);
});
