// One box ticks all of its form. Without scripts it is not there.
const all = document.querySelector("[data-ticks]");

if (all) {
  all.closest("label").hidden = false;
  all.addEventListener("change", () => {
    for (const box of all.form.querySelectorAll("[type=checkbox][name]")) box.checked = all.checked;
  });
}
