// The teacher's pages, projector and phone. Frames come by htmx's websocket extension, the same for both. Here: what did not change stays,
// focus comes back, news is told, a text that is too long is made to fit; and when nothing comes, the page asks.
const host = document.querySelector("[data-host]");
const live = document.getElementById("live");
const told = document.getElementById("told");
const part = (id) => document.getElementById(id);

// The class moves on a second after its time is up (rules.GRACE): a frame that is not there two seconds later is asked for.
const OVERDUE = 3_000;
const AGAIN = 2_000;
const UNSEEN = 1_000;
const GONE = [4403, 4404];
// Whoever looked away for longer may have a connection that only seems to be one.
const ASLEEP = 5_000;
const NEVER = 2 ** 31 - 1;
const STEP = 0.03;
const SMALLEST = 0.3;
const MANY = 1.5;
let focused = "";
let waiting;
let unseen;
let frames = 0;
let asking;

const ask = () => htmx.trigger("#ask", "ask");

// Whatever comes says that there is a connection; from a class that is gone nothing comes.
function hear() {
  clearTimeout(asking);
  if (live.textContent !== live.dataset.lost) live.textContent = "";
}

function tell() {
  const news = host.querySelector("#stage [data-tell]")?.textContent.replace(/\s+/g, " ").trim() ?? "";
  if (told.textContent !== news) told.textContent = news;
}

// The step of its type hangs on the length of a text; for one of many lines that is not enough, nor is there room for thirty long names.
function fit() {
  host.style.removeProperty("--shrink");
  host.removeAttribute("data-columns");
  const full = host.querySelector(".big .tweet, .seats:not([hidden])");
  // Twenty short lines stand side by side before they are made small.
  host.toggleAttribute("data-columns", full?.scrollHeight > MANY * full?.clientHeight);
  for (let shrink = 1 - STEP; full && shrink > SMALLEST && full.scrollHeight > full.clientHeight; shrink -= STEP) host.style.setProperty("--shrink", shrink);
}

addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  for (const fold of target.querySelectorAll("details[open]")) fragment.getElementById?.(fold.id)?.setAttribute("open", "");
  if (target.isEqualNode(fragment.firstElementChild)) event.preventDefault();
  else if (target.id === "stage") clearTimeout(waiting);
});
addEventListener("htmx:wsBeforeMessage", (event) => {
  focused = document.activeElement?.id;
  clearTimeout(unseen);
  hear();
  // Drawn before the answer to a question that the page has asked since.
  const [, version] = /data-version="(\d+)"/.exec(event.detail.message) ?? [];
  if (Number(version) < Number(part("stage").dataset.version)) event.preventDefault();
});

function settle() {
  if (focused && document.activeElement === document.body) part(focused)?.focus({ preventScroll: true });
  fit();
  tell();
}

addEventListener("htmx:wsAfterMessage", () => {
  frames += 1;
  settle();
});
addEventListener("htmx:afterSettle", settle);
addEventListener("resize", fit);

// A button changes something, which comes as a frame; or it came late, or the connection is away.
let before = 0;
addEventListener("htmx:beforeRequest", () => { before = frames; });
addEventListener("htmx:afterRequest", ({ target, detail }) => {
  if (detail.successful) hear();
  if (target.id === "ask") return;
  clearTimeout(unseen);
  if (frames === before) unseen = setTimeout(again, UNSEEN);
  part("ending").hidePopover();
});

addEventListener("clock:out", () => {
  clearTimeout(waiting);
  waiting = setTimeout(function overdue() {
    again();
    waiting = setTimeout(overdue, AGAIN);
  }, OVERDUE);
});

// The extension stays away after most of the server's close codes, and too long after the others: here it leaves that to us.
let socket;
let wrapper;
let connecting;
let left = 0;
htmx.config.wsReconnectDelay = () => NEVER;
htmx.createWebSocket = (url) => { socket = new WebSocket(url); return socket; };

function connect() {
  clearTimeout(connecting);
  socket.close();
  wrapper?.reconnect();
}

// What should have come did not: the connection may only seem to be one.
function again() {
  ask();
  connect();
}

addEventListener("htmx:wsOpen", ({ detail }) => {
  wrapper = detail.socketWrapper;
  live.textContent = "";
});
addEventListener("htmx:wsClose", ({ detail: { event, socketWrapper } }) => {
  // One that another has taken the place of is not missed.
  if (event.target !== socket) return;
  wrapper = socketWrapper ?? wrapper;
  const isGone = GONE.includes(event.code);
  live.textContent = isGone ? live.dataset.lost : live.dataset.off;
  if (!isGone) connecting = setTimeout(connect, AGAIN * (0.5 + Math.random()));
});
// A short gap is over without the socket having noticed it: asking finds out.
addEventListener("htmx:sendError", () => {
  live.textContent = live.dataset.off;
  clearTimeout(asking);
  asking = setTimeout(ask, AGAIN);
});
addEventListener("online", again);
addEventListener("pageshow", (event) => { if (event.persisted) again(); });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) left = Date.now();
  else if (Date.now() - left > ASLEEP) again();
});

// What a name opens to may lie under the buttons.
host.addEventListener("click", ({ target }) => {
  const fold = target.closest("summary")?.parentElement;
  if (fold) requestAnimationFrame(() => { if (fold.open) fold.scrollIntoView({ block: "nearest" }); });
});

// The long keys, which a clicker has, too. A button that has the focus is pressed by Space itself.
addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || ![" ", "PageDown"].includes(event.key)) return;
  if (!document.querySelector("[data-keys-switch]").checked || document.querySelector(":popover-open")) return;
  if (event.target.closest("button, a, input, textarea, select, summary")) return;
  event.preventDefault();
  part("next")?.click();
});

const screen = document.querySelector("[data-full-screen]");
if (screen && document.fullscreenEnabled) {
  screen.hidden = false;
  screen.addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));
}

fit();
