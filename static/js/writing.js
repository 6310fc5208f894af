// What a student writes: counted, kept in this tab with every letter, and on the server at every pause and when the time is up.
const PAUSE = 600;
// Whoever types on and on is kept all the same.
const AT_MOST = 2_000;
const AGAIN = 2_000;

let form;
let waiting;
let since = 0;

const own = () => form?.querySelector("#own");
const store = () => `draft:${form.dataset.writing}`;

function read() {
  try { return sessionStorage.getItem(store()); } catch { return null; /* storage refused: the server has it from the last pause */ }
}

function write() {
  try { sessionStorage.setItem(store(), own().value); } catch { /* as above */ }
}

function count() {
  const whole = `${form.querySelector("#beginning").textContent} ${own().value.trim().replace(/\s+/g, " ")}`;
  const left = Number(form.dataset.longest) - [...whole].length;
  const room = form.querySelector("#room");
  room.textContent = left < 0 ? `${-left} too many` : `${left} left`;
  room.toggleAttribute("data-over", left < 0);
  own().setAttribute("aria-invalid", String(left < 0));
}

function save() {
  clearTimeout(waiting);
  since = 0;
  if (form?.isConnected) htmx.trigger(form, "save");
}

function later(pause) {
  since ||= Date.now();
  clearTimeout(waiting);
  waiting = setTimeout(save, Math.max(0, Math.min(pause, since + AT_MOST - Date.now())));
}

function say(words) {
  const line = Object.assign(document.createElement("p"), { textContent: words });
  document.getElementById("kept")?.replaceChildren(line);
}

// The sheet has come: what this tab remembers is newer than what the server knows, if they differ.
function begin(sheet) {
  form = sheet;
  const draft = read();
  if (draft !== null && draft !== own().value) {
    own().value = draft;
    later(0);
  }
  count();
}

addEventListener("htmx:afterSettle", () => {
  const sheet = document.querySelector("[data-writing]");
  if (sheet && sheet !== form) begin(sheet);
  // Whoever has the tab next reads nothing of it.
  const over = document.querySelector("[data-handed-in]");
  if (over) try { sessionStorage.removeItem(`draft:${over.dataset.handedIn}`); } catch { /* as above */ }
});
addEventListener("input", (event) => {
  if (event.target !== own()) return;
  write();
  count();
  later(PAUSE);
});
addEventListener("clock:out", () => { if (since) save(); });
addEventListener("online", () => { if (form?.isConnected) later(0); });

// No connection, or too much at once: the sheet is asked for, or sent, again.
function tryAgain(event) {
  const { elt } = event.detail;
  if (elt === form) {
    say("Not kept yet. Trying again; it stays in this tab.");
    since = Date.now();
    later(AGAIN);
  } else if (elt.matches?.("#sheet, #handed-in")) htmx.trigger(elt, "again");
}
addEventListener("htmx:sendError", tryAgain);
addEventListener("htmx:timeout", tryAgain);
addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status === 429 || event.detail.xhr.status >= 500) tryAgain(event); });
