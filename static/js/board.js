// The board arrives the same for everybody: here the viewer's own row is marked, and the connection's state told.
const { mine } = document.querySelector("[data-mine]").dataset;
const live = document.getElementById("live");

function markOwnRow() {
  if (mine) document.querySelector(`[data-player="${CSS.escape(mine)}"]`)?.setAttribute("aria-current", "true");
}

markOwnRow();
addEventListener("htmx:wsAfterMessage", markOwnRow);
addEventListener("htmx:wsOpen", () => { live.textContent = live.dataset.on; });
addEventListener("htmx:wsClose", () => { live.textContent = live.dataset.off; });
