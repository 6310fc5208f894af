// Fragments arrive the same for everybody who watches. Here: what did not change stays, open folds stay open, focus comes back,
// and the state is told.
const live = document.getElementById("live");
const told = document.getElementById("told");
let focused = "";

const tell = () => {
  const state = document.querySelector("[data-tell]")?.textContent;
  if (told && told.textContent !== state) told.textContent = state;
};

addEventListener("htmx:wsBeforeMessage", () => { focused = document.activeElement?.id; });
addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  for (const fold of target.querySelectorAll("details[open]")) fragment.getElementById(fold.id)?.setAttribute("open", "");
  if (target.isEqualNode(fragment.firstElementChild)) event.preventDefault();
});
addEventListener("htmx:wsAfterMessage", () => {
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true });
  tell();
});
addEventListener("htmx:wsOpen", () => { live.textContent = live.dataset.on; });
addEventListener("htmx:wsClose", () => { live.textContent = live.dataset.off; });
