"use strict";
(() => {
  const table = document.getElementById("tag-table");
  if (!table) return;
  const FIRST = 25;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const search = document.getElementById("tag-search");
  const count = document.getElementById("tag-count");
  const more = document.getElementById("tag-more");
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const names = new Map(rows.map((row) => [row, row.cells[0].querySelector("bdi").textContent]));
  const keys = new Map(rows.map((row) => [row, plain(row.cells[0].textContent)]));
  let whole = rows.length <= FIRST + 5;

  const show = () => {
    const wanted = plain(search.value.trim());
    const found = rows.filter((row) => keys.get(row).includes(wanted));
    const shown = new Set(whole || wanted ? found : found.slice(0, FIRST));
    for (const row of rows) row.hidden = !shown.has(row);
    count.textContent = wanted ? `${found.length} of ${rows.length} tags` : `${rows.length} tags`;
    more.parentElement.hidden = shown.size === found.length;
  };

  const sort = (column, falling) => {
    const value = (row) => row.cells[column].dataset.value;
    const sign = falling ? -1 : 1;
    rows.sort((a, b) => {
      if (column === 0) return sign * names.get(a).localeCompare(names.get(b));
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (x - y);
    });
    body.append(...rows);
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    show();
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sort(column, now ? now === "ascending" : column > 0);
    });
    head.replaceChildren(button);
  });
  more.textContent = `Show all ${rows.length} tags`;
  more.addEventListener("click", () => { whole = true; show(); });
  search.addEventListener("input", show);
  search.closest(".tools").hidden = false;
  window.addEventListener("beforeprint", () => { for (const row of rows) row.hidden = false; });
  window.addEventListener("afterprint", show);
  show();
})();
