// A thumbnail is a strip of eight frames: the pointer's place above it says which one is seen.

const FRAMES = 8;

document.addEventListener("pointermove", (event) => {
  const thumb = event.target.closest?.(".thumb");
  const strip = thumb?.querySelector("img");
  if (!strip) return;
  const box = thumb.getBoundingClientRect();
  const frame = Math.min(FRAMES - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * FRAMES)));
  strip.style.left = `${-100 * frame}%`;
});

document.addEventListener("pointerout", (event) => {
  const thumb = event.target.closest?.(".thumb");
  if (thumb && !thumb.contains(event.relatedTarget)) thumb.querySelector("img")?.style.removeProperty("left");
});

// A picture that cannot be had gives its place to the sign beneath it.
document.addEventListener("error", (event) => {
  if (event.target.matches?.(".thumb img")) event.target.remove();
}, true);
