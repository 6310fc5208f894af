// Runs before the first paint, so that a remembered theme does not flash.
(() => {
  const root = document.documentElement;
  const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* private mode: the choice lasts for this page */ } };

  root.dataset.scripts = "";
  const theme = remembered();
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    const shown = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset.theme = shown === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
  });
})();
