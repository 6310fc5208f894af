// After htmx has swapped the table: put the focus where play goes on, and say what happened.
const said = document.getElementById("said");
const trouble = document.getElementById("trouble");

addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.elt.id !== "table") return;
  trouble.textContent = "";
  const table = document.getElementById("table");
  const news = [".verdict", ".score__figure"].map((part) => table.querySelector(part)?.textContent.replace(/\s+/g, " ").trim());
  said.textContent = news[0] ? news.join(" ") : "";
  (document.getElementById("next") ?? document.getElementById("card")).focus({ preventScroll: true });
});

addEventListener("htmx:sendError", () => { trouble.textContent = trouble.dataset.offline; });
addEventListener("htmx:responseError", (event) => {
  trouble.textContent = event.detail.xhr.status === 429 ? trouble.dataset.hurry : trouble.dataset.refused;
});
