// A key presses the control that declares it in aria-keyshortcuts. The player can turn this off (WCAG 2.1.4).
const box = document.querySelector("[data-keys-switch]");

try { box.checked = localStorage.getItem("keys") !== "off"; } catch { /* storage refused: keys start on */ }
box.addEventListener("change", () => {
  try { localStorage.setItem("keys", box.checked ? "on" : "off"); } catch { /* the choice lasts for this page */ }
});

addEventListener("keydown", (event) => {
  if (!box.checked || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("textarea, select, input:not([type=checkbox])")) return;
  const control = document.querySelector(`[aria-keyshortcuts="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!control) return;
  event.preventDefault();
  control.click();
});
