// Choosing many things on a page: how many are chosen is said in the bar of actions, which shows only then.

const bar = () => document.querySelector("[data-bulk]");

function tell() {
  const found = bar();
  if (!found) return;
  const boxes = [...document.querySelectorAll(`input[name="${found.dataset.bulk}"][type="checkbox"]`)];
  const chosen = boxes.filter((box) => box.checked).length;
  found.querySelector("[data-count]").textContent = `${chosen} chosen`;
  found.hidden = chosen === 0;
  const all = document.querySelector("[data-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
}

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-all]");
  if (all) {
    const name = bar()?.dataset.bulk;
    for (const box of document.querySelectorAll(`input[name="${name}"]`)) box.checked = all.checked;
  }
  tell();
});
document.addEventListener("htmx:afterSwap", tell);
tell();
