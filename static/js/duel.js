// Columns arrive as they fill, the same for everybody. Here: what did not change stays as the visitor left it, focus comes back, and news is told.
const told = document.getElementById("told");
const part = (id) => document.getElementById(id);
const arrived = new Map();
let focused = "";

const tell = (words) => { if (words !== undefined && told.textContent !== words) told.textContent = words; };
// Menus are opened and filled on the page: a column is compared with what arrived before, not with what became of it.
const note = () => {
  arrived.clear();
  for (const piece of document.querySelectorAll("#progress, .column")) arrived.set(piece.id, piece.outerHTML);
};
const live = (state) => { const sign = part("live"); if (sign) sign.textContent = sign.dataset[state]; };

addEventListener("htmx:wsBeforeMessage", () => { focused = document.activeElement?.id; });
addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  const next = fragment.firstElementChild;
  if (arrived.get(target.id) === next.outerHTML) event.preventDefault();
  arrived.set(target.id, next.outerHTML);
});
// A model that was promoted while somebody waits has no place here yet.
addEventListener("htmx:oobErrorNoTarget", () => location.reload());
addEventListener("htmx:wsAfterMessage", () => {
  if (focused && document.activeElement === document.body) part(focused)?.focus({ preventScroll: true });
  tell(part("progress")?.textContent);
});
addEventListener("htmx:wsOpen", () => live("on"));
addEventListener("htmx:wsClose", ({ detail }) => {
  live("off");
  // A moderator has taken the prompt out: its address says so, and shows none of it.
  if ([4403, 4404].includes(detail.event.code)) location.reload();
});

// What is wrong with a prompt is drawn like any other answer.
addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target.id === "duel" && [422, 429].includes(xhr.status)) Object.assign(event.detail, { shouldSwap: true, isError: false });
  else if (target.matches(".menu__body") && xhr.status >= 400) target.textContent = "That did not go through. Reload the page and try again.";
});
addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.elt.id !== "duel") return;
  note();
  part("prompt")?.focus({ preventScroll: true });
  if (part("q-trouble")) part("q").focus();
});
addEventListener("htmx:sendError", () => tell("No connection. Try again in a moment."));

note();
