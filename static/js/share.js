// Copy the link, or hand it to the system's share sheet where there is one.
const share = document.querySelector("[data-share]");
const { url, text } = share.dataset;
const said = share.querySelector("[role=status]");
const copy = share.querySelector("[data-copy]");
const send = share.querySelector("[data-send]");

copy.hidden = !navigator.clipboard;
copy.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(`${text}\n${url}`);
    said.textContent = "Copied.";
  } catch {
    share.querySelector("input").select();
    said.textContent = "Your browser does not allow copying: press Ctrl+C.";
  }
});

send.hidden = !navigator.share;
send.addEventListener("click", async () => {
  try { await navigator.share({ text, url }); } catch { /* the player closed the sheet */ }
});
