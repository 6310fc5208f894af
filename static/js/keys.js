// A key presses the control that declares it in aria-keyshortcuts. The player can turn this off (WCAG 2.1.4).
const box = document.querySelector("[data-keys-switch]");

try { box.checked = localStorage.getItem("keys") !== "off"; } catch { /* storage refused: keys start on */ }
box.addEventListener("change", () => {
  try { localStorage.setItem("keys", box.checked ? "on" : "off"); } catch { /* the choice lasts for this page */ }
});

addEventListener("keydown", (event) => {
  if (!box.checked || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("textarea, select, input:not([type=checkbox])")) return;
  // What lies on top of the page has the keys to itself; what can't be seen has none.
  const top = document.querySelector("dialog[open], :popover-open") ?? document;
  const controls = top.querySelectorAll(`[aria-keyshortcuts="${CSS.escape(event.key.toLowerCase())}"]`);
  const control = [...controls].find((one) => one.checkVisibility({ visibilityProperty: true }));
  if (!control) return;
  event.preventDefault();
  control.click();
});
