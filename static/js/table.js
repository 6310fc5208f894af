// After htmx has swapped the table: put the focus where play goes on, and say what happened.
const said = document.getElementById("said");

addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.elt.id !== "table") return;
  const table = document.getElementById("table");
  const news = [".verdict", ".score__figure"].map((part) => table.querySelector(part)?.textContent.replace(/\s+/g, " ").trim());
  said.textContent = news[0] ? news.join(" ") : (table.querySelector("[data-news]")?.textContent ?? "");
  (document.getElementById("next") ?? document.getElementById("card")).focus({ preventScroll: true });
});

const tell = (what) => {
  const trouble = document.getElementById("trouble"); // a new one with every swap
  trouble.textContent = trouble.dataset[what];
};

addEventListener("htmx:sendError", () => tell("offline"));
addEventListener("htmx:responseError", (event) => tell(event.detail.xhr.status === 429 ? "hurry" : "refused"));
