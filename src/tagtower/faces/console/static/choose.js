// Choosing many videos: how many are chosen is said in the bar of actions, which shows only then.

const bar = document.querySelector("[data-bulk]");

if (bar) {
  const boxes = () => [...document.querySelectorAll('input[name="video"]')];
  const count = bar.querySelector("[data-count]");
  const all = document.querySelector("[data-all]");

  function tell() {
    const chosen = boxes().filter((box) => box.checked).length;
    count.textContent = chosen === 1 ? "1 video chosen" : `${chosen} videos chosen`;
    bar.hidden = chosen === 0;
    if (all) {
      all.checked = chosen > 0 && chosen === boxes().length;
      all.indeterminate = chosen > 0 && !all.checked;
    }
  }

  document.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    if (event.target === all || event.target.name === "video") tell();
  });
  tell();
}
