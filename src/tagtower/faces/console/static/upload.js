// Handing files in from the library page: chosen or dropped, in pieces, one file after the other. What breaks off goes
// on where it ended: by itself when the connection is back, after a reload when the same file is chosen again.

const PIECE = 8 * 1024 * 1024;
const KEPT = "tagtower.uploads";
const LONGEST_WAIT = 15_000;
const zone = document.querySelector("[data-upload]");

// Uploads that have begun, by what is known of a file before it is read: name, length and time of change.
const begun = {
  all() { try { return JSON.parse(localStorage.getItem(KEPT)) ?? {}; } catch { return {}; } },
  keep(key, value) {
    const all = this.all();
    if (value) all[key] = value; else delete all[key];
    try { localStorage.setItem(KEPT, JSON.stringify(all)); } catch { /* then it does not outlive this page */ }
  },
};

class Refused extends Error {
  constructor(message, { keep = false } = {}) {
    super(message);
    this.keep = keep; // whether what has come is of use to another try
  }
}
class Stopped extends Error {}

if (zone) {
  const list = zone.querySelector(".uploads");
  const input = zone.querySelector('input[type="file"]');
  const spoken = zone.querySelector("[data-spoken]");
  const token = zone.querySelector('input[name="csrf"]').value;
  const waiting = [];
  let busy = false;

  input.addEventListener("change", () => { take(input.files); input.value = ""; });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) zone.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  window.addEventListener("beforeunload", (event) => { if (busy) event.preventDefault(); });
  for (const [key, one] of Object.entries(begun.all())) remind(key, one);

  function take(files) {
    for (const file of files) {
      const key = `${file.name}|${file.size}|${file.lastModified}`;
      if (waiting.some((one) => one.key === key)) continue;
      list.querySelector(`[data-key="${CSS.escape(key)}"]`)?.remove();
      const row = line(file.name, "waiting");
      const bar = document.createElement("progress");
      bar.max = file.size || 1;
      bar.value = 0;
      bar.setAttribute("aria-label", `Upload of ${file.name}`);
      const upload = { file, key, bar, ...row, stopped: false, request: null };
      row.button("Stop", () => { upload.stopped = true; upload.request?.abort(); upload.wake?.(); if (!upload.active) forget(upload); });
      row.row.append(bar);
      waiting.push(upload);
    }
    next();
  }

  function line(name, said) {
    const row = document.createElement("li");
    const called = document.createElement("span");
    const state = document.createElement("span");
    called.className = "called";
    called.textContent = name;
    called.title = name;
    state.className = "soft num";
    state.textContent = said;
    row.append(called, state);
    list.append(row);
    const button = (text, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "plain small";
      made.textContent = text;
      made.setAttribute("aria-label", `${text}: ${name}`);
      made.addEventListener("click", act);
      row.append(made);
      return made;
    };
    return { row, state, button };
  }

  // What was begun before this page was loaded: only the person can give the file again.
  function remind(key, { name, size, at }) {
    const { row, button } = line(name, `${percent(at, size)} are here: choose the file again to go on`);
    row.dataset.key = key;
    button("Forget", () => { row.remove(); drop(key); });
  }

  async function next() {
    if (busy || !waiting.length) return;
    busy = true;
    const upload = waiting.shift();
    upload.active = true;
    try {
      if (upload.stopped) throw new Stopped();
      const answer = await send(upload);
      begun.keep(upload.key, null);
      landed(upload, answer);
    } catch (error) {
      if (error instanceof Stopped) await forget(upload);
      else if (error instanceof Refused) refuse(upload, error);
      else {
        refuse(upload, new Refused("It failed. Load the page again, and choose the file again.", { keep: true }));
        throw error;
      }
    } finally {
      busy = false;
      next();
    }
  }

  async function send(upload) {
    const { file, key } = upload;
    if (!file.size) throw new Refused("The file is empty.");
    let id = begun.all()[key]?.id;
    let at = id ? await patiently(upload, () => reached(id)) : null;
    if (at === null) {
      ({ id } = await patiently(upload, () => ask("POST", "/v1/videos/uploads", { length: file.size })));
      at = 0;
    }
    while (at < file.size) {
      progress(upload, at);
      begun.keep(key, { id, name: file.name, size: file.size, at });
      at = await patiently(upload, () => piece(upload, id, at), async () => {
        const found = await reached(id);
        if (found === null) throw new Refused("The server has forgotten it: choose the file again.");
        at = found;
      });
    }
    progress(upload, at);
    upload.state.textContent = "looking at it";
    const said = { filename: file.name, name: file.name };
    return patiently(upload, () => ask("POST", `/v1/videos/uploads/${id}/complete`, said));
  }

  // Does something until it is done: where the connection broke, or the server is not there, it waits and tries again.
  async function patiently(upload, act, before = null) {
    for (let tries = 0; ; tries += 1) {
      if (upload.stopped) throw new Stopped();
      try {
        if (tries && before) await before();
        return await act();
      } catch (error) {
        if (error instanceof Refused || upload.stopped) throw upload.stopped ? new Stopped() : error;
        const pause = Math.min(LONGEST_WAIT, 500 * 2 ** tries);
        upload.state.textContent = navigator.onLine ? "the connection broke; it goes on by itself" : "no network; it goes on by itself";
        upload.row.classList.add("paused");
        await new Promise((resolve) => {
          upload.wake = resolve;
          setTimeout(resolve, pause);
          window.addEventListener("online", resolve, { once: true });
        });
        upload.row.classList.remove("paused");
      }
    }
  }

  async function ask(method, address, body = null) {
    const headers = { "X-CSRF-Token": token };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(address, { method, headers, body: body && JSON.stringify(body) });
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    throw await fault(answer.status, () => answer.json());
  }

  // How much of an upload is here; null where the server does not know it.
  async function reached(id) {
    const answer = await fetch(`/v1/videos/uploads/${id}`);
    if (answer.status === 404) return null;
    if (!answer.ok) throw await fault(answer.status, () => answer.json());
    const { offset, length, result } = await answer.json();
    return result ? length : offset;
  }

  async function fault(status, body) {
    const told = await body().catch(() => null);
    const again = status >= 500 || status === 409 || status === 429 || status === 408;
    if (again) return new Error(told?.detail ?? `status ${status}`);
    if (status === 401) return new Refused("The session has ended: sign in, and choose the file again to go on.", { keep: true });
    return new Refused([told?.detail ?? "It was refused.", told?.hint].filter(Boolean).join(" "));
  }

  // Sent by XMLHttpRequest, since fetch does not tell how much of a body has gone.
  function piece(upload, id, at) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      upload.request = request;
      request.open("PATCH", `/v1/videos/uploads/${id}`);
      request.setRequestHeader("X-CSRF-Token", token);
      request.setRequestHeader("Upload-Offset", String(at));
      request.setRequestHeader("Content-Type", "application/offset+octet-stream");
      request.upload.addEventListener("progress", (event) => progress(upload, at + event.loaded));
      request.addEventListener("loadend", async () => {
        upload.request = null;
        if (request.status === 204) resolve(Number(request.getResponseHeader("Upload-Offset")));
        else if (!request.status) reject(new Error("the connection broke"));
        else reject(await fault(request.status, async () => JSON.parse(request.responseText)));
      });
      request.send(upload.file.slice(at, at + PIECE));
    });
  }

  function progress({ bar, state, file }, at) {
    bar.value = Math.min(at, file.size);
    state.textContent = percent(at, file.size);
  }

  function landed({ row, state, bar, file }, answer) {
    bar.remove();
    row.querySelector("button")?.remove();
    state.textContent = answer.outcome === "new" ? "taken in" : "was there already";
    spoken.textContent = `${file.name}: ${state.textContent}`;
    const tile = document.createElement("div");
    tile.className = "tile upload-tile";
    row.append(tile);
    window.htmx.ajax("GET", `/library/tile/${answer.id}`, { target: tile, swap: "innerHTML" });
  }

  async function drop(key) {
    const id = begun.all()[key]?.id;
    begun.keep(key, null);
    if (id) await ask("DELETE", `/v1/videos/uploads/${id}`).catch(() => {});
  }

  async function forget(upload) {
    const place = waiting.indexOf(upload);
    if (place >= 0) waiting.splice(place, 1);
    upload.row.remove();
    spoken.textContent = `${upload.file.name}: stopped`;
    await drop(upload.key);
  }

  function refuse({ row, state, bar, file, key }, { message: why, keep }) {
    if (!keep) drop(key);
    bar.remove();
    row.querySelector("button")?.remove();
    row.classList.add("refused");
    state.textContent = why;
    spoken.textContent = `${file.name}: ${why}`;
  }

  function percent(at, size) {
    return `${Math.floor((100 * at) / (size || 1))} %`;
  }
}
