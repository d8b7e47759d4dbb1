// Handing files in from the library page: chosen or dropped, one after the other, each with its progress.

const zone = document.querySelector("[data-upload]");

if (zone) {
  const list = zone.querySelector(".uploads");
  const input = zone.querySelector('input[type="file"]');
  const token = zone.querySelector('input[name="csrf"]').value;
  const waiting = [];
  let busy = false;

  input.addEventListener("change", () => { take(input.files); input.value = ""; });
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });

  function take(files) {
    for (const file of files) {
      const row = document.createElement("li");
      const name = document.createElement("span");
      const state = document.createElement("span");
      const bar = document.createElement("progress");
      name.textContent = file.name;
      state.textContent = "waiting";
      state.className = "soft";
      bar.max = 1;
      bar.value = 0;
      bar.setAttribute("aria-label", `Upload of ${file.name}`);
      row.append(name, state, bar);
      list.append(row);
      waiting.push({ file, row, state, bar });
    }
    next();
  }

  function next() {
    if (busy || !waiting.length) return;
    busy = true;
    send(waiting.shift());
  }

  function send({ file, row, state, bar }) {
    const request = new XMLHttpRequest();
    const named = new URLSearchParams({ filename: file.name, name: file.name });
    request.open("POST", `${zone.action}?${named}`);
    request.setRequestHeader("X-CSRF-Token", token);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      bar.value = event.loaded / event.total;
      state.textContent = event.loaded < event.total ? `${Math.round(bar.value * 100)} %` : "looking at it";
    });
    request.addEventListener("loadend", () => {
      busy = false;
      bar.remove();
      tell(request, row, state);
      next();
    });
    request.send(file);
  }

  function tell(request, row, state) {
    const answer = request.response;
    if (request.status === 201 || request.status === 200) {
      state.textContent = answer.outcome === "new" ? "taken in" : "was there already";
      const tile = document.createElement("div");
      tile.className = "tile upload-tile";
      row.append(tile);
      window.htmx.ajax("GET", `/library/tile/${answer.id}`, { target: tile, swap: "innerHTML" });
      return;
    }
    row.classList.add("refused");
    state.textContent = request.status
      ? [answer?.detail ?? "It was refused.", answer?.hint].filter(Boolean).join(" ")
      : "The connection broke: hand it in again.";
  }
}
