// On a touch screen a card is pulled aside: to the right presses one control, to the left the other, named by data-swipe.
const stage = document.querySelector("[data-swipe-stage]");
const FAR = 80;
let start;
let card;

function letGo() {
  card?.style.removeProperty("translate");
  stage.removeAttribute("data-pulled");
  start = card = undefined;
}

stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "touch" || !event.isPrimary) return;
  card = event.target.closest(".deck")?.querySelector(".card");
  start = card && { x: event.clientX, y: event.clientY };
});
stage.addEventListener("pointermove", (event) => {
  if (!start) return;
  const way = event.clientX - start.x;
  if (Math.abs(event.clientY - start.y) > Math.abs(way)) return;
  card.style.translate = `${way}px`;
  stage.dataset.pulled = Math.abs(way) < FAR ? "" : way > 0 ? "right" : "left";
});
stage.addEventListener("pointerup", () => {
  const way = start && stage.dataset.pulled;
  letGo();
  // After the touch is over: its end would close again what it opens.
  if (way) setTimeout(() => document.querySelector(`[data-swipe="${way}"]`).click());
});
stage.addEventListener("pointercancel", letGo);
