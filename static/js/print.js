// A button for what the browser can do anyway; without scripts there is none.
const button = document.querySelector("[data-print]");
button.hidden = false;
button.addEventListener("click", () => print());
