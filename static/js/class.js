// A student's page. Frames come by htmx's websocket extension; where websockets don't come through, by asking every two seconds.
// What was pressed is marked at once, kept in the tab, and sent until the server shows that it has it.
const part = (id) => document.getElementById(id);
const seat = part("seat");
const answers = part("answers");
const live = part("live");
const said = part("said");
const { class: code, answerUrl, stateUrl } = seat.dataset;
const store = `class:${code}`;

// A connection that shows nothing for so long is none; so is an answer that is not shown to be stored.
const PATIENCE = 5_000;
const AGAIN = 3_000;
const POLL = 2_000;
const ENOUGH = 2;
// Whoever looked away for longer may have a connection that only seems to be one.
const ASLEEP = 5_000;
const NEVER = 2 ** 31 - 1;
// After these it is no use to send the same once more.
const FINAL = ["late", "wrong-card", "not-yours", "bad-frame", "too-big"];

let focused;
let kept;
try { kept = JSON.parse(sessionStorage.getItem(store) ?? "null"); } catch { /* storage refused: kept for this page */ }

// --- What is shown -------------------------------------------------------------------------

// A frame comes whole. What did not change stays: a card turns once, and what is being typed is not lost.
function sign(stage) {
  const copy = stage.cloneNode(true);
  copy.querySelector("#mine")?.replaceWith("");
  delete copy.dataset.version;
  return copy.outerHTML;
}

let shown = sign(part("stage"));

function isShown(next) {
  const before = shown;
  shown = sign(next);
  if (shown === before) part("stage").dataset.version = next.dataset.version;
  return shown === before;
}

const news = () => [...seat.querySelectorAll("[data-tell]")].map((words) => words.textContent.replace(/\s+/g, " ").trim());
let told = news();

function tell() {
  const now = news();
  const fresh = now.filter((words) => !told.includes(words));
  told = now;
  if (fresh.length) said.textContent = fresh.join(" ");
}

function mark(verdict) {
  for (const button of answers.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === verdict));
    button.setAttribute("aria-disabled", String(Boolean(verdict)));
  }
}

function keep(answer) {
  kept = answer;
  try { sessionStorage.setItem(store, JSON.stringify(kept ?? null)); } catch { /* as above */ }
}

const table = () => {
  const { phase, card } = part("stage").dataset;
  return phase === "card" ? card : "";
};
const mine = () => part("mine")?.dataset ?? {};

// After every frame: the server's word counts, and what it has not heard yet stays marked.
function settle() {
  const { verdict, own } = mine();
  if (kept && (kept.card !== table() || verdict || own !== undefined || FINAL.includes(part("trouble").dataset.code))) keep();
  mark(table() && (verdict || kept?.verdict));
  // The buttons go while there is no card: whoever answers by Tab and Enter finds the focus again.
  if (table() && document.activeElement === document.body) focused?.focus({ preventScroll: true });
  tell();
  tellConnection();
}

// --- The connection ------------------------------------------------------------------------

let socket;
let wrapper;
let failures = 0;
let isDown = false;
let patience;
let connecting;
let polling;
let left = 0;

// The extension stays away after most of the server's close codes, and too long after the others: here it leaves that to us.
htmx.config.wsReconnectDelay = () => NEVER;
htmx.createWebSocket = (url) => {
  const own = socket = new WebSocket(url);
  clearTimeout(patience);
  patience = setTimeout(() => own.close(), PATIENCE);
  return own;
};

function tellConnection() {
  const words = isDown || !navigator.onLine ? live.dataset[kept ? "kept" : "offline"] : "";
  if (live.textContent !== words) live.textContent = words;
}

function connect({ anew = false } = {}) {
  clearTimeout(connecting);
  if (!wrapper || (!anew && socket.readyState <= WebSocket.OPEN)) return;
  socket.close();
  wrapper.reconnect();
}

function connectLater() {
  const pause = failures < ENOUGH ? 1_000 : 20_000;
  clearTimeout(connecting);
  connecting = setTimeout(connect, pause * (0.5 + Math.random()));
}

let isFirst = true;
addEventListener("htmx:wsConnecting", () => { isFirst = true; });
addEventListener("htmx:wsOpen", ({ detail }) => { wrapper = detail.socketWrapper; });
addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  if (target.id === "stage" && isShown(fragment.firstElementChild)) event.preventDefault();
});
addEventListener("htmx:wsAfterMessage", () => {
  seat.dataset.live = "";
  clearTimeout(patience);
  clearTimeout(polling);
  failures = 0;
  isDown = false;
  settle();
  if (isFirst) send();
  isFirst = false;
});
addEventListener("htmx:wsClose", ({ detail }) => {
  // One that was given up, or taken the place of, is not missed.
  if (detail.event.target !== socket) return;
  delete seat.dataset.live;
  wrapper = detail.socketWrapper ?? wrapper;
  clearTimeout(patience);
  failures += 1;
  // Sent out, or no such class any more: the page says so.
  if ([4403, 4404].includes(detail.event.code)) failures = ENOUGH;
  if (failures >= ENOUGH) poll();
  connectLater();
});

async function ask(url, options) {
  const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(PATIENCE), ...options }).catch(() => undefined);
  if (response?.type === "opaqueredirect" || [403, 404, 410].includes(response?.status)) location.reload();
  const wasDown = isDown;
  isDown = !response?.ok;
  if (response?.ok) show(await response.text());
  else tellConnection();
  if (wasDown && !isDown) connect();
}

// As the extension does with what a websocket brings.
function show(html) {
  const frame = Object.assign(document.createElement("template"), { innerHTML: html });
  // The answer to an earlier question may come later.
  const { version } = frame.content.getElementById("stage").dataset;
  if (Number(version) < Number(part("stage").dataset.version)) return;
  for (const next of frame.content.children) next.setAttribute("hx-swap-oob", "true");
  htmx.swap(seat, frame.innerHTML, { swapStyle: "none" });
  settle();
}

async function poll() {
  clearTimeout(polling);
  await ask(stateUrl);
  if (!isDown) await send();
  if (failures >= ENOUGH) polling = setTimeout(poll, POLL * (0.75 + Math.random() / 2));
}

// --- The answer ----------------------------------------------------------------------------

const isOpen = () => socket?.readyState === WebSocket.OPEN;

function send() {
  if (!kept || kept.card !== table()) return undefined;
  if (isOpen()) return socket.send(JSON.stringify({ type: "answer", ...kept }));
  if (failures < ENOUGH) return undefined;
  const body = new URLSearchParams({ ...kept, csrfmiddlewaretoken: answers.elements.csrfmiddlewaretoken.value });
  return ask(answerUrl, { method: "POST", body });
}

answers.addEventListener("submit", (event) => {
  event.preventDefault();
  focused = event.submitter.matches(":focus-visible") ? event.submitter : undefined;
  const { verdict, own } = mine();
  const card = table();
  if (!card || verdict || own !== undefined) return;
  // Pressed once more, it is the first that is sent: it may have arrived.
  if (kept?.card !== card) keep({ card, verdict: event.submitter.value });
  mark(kept.verdict);
  tellConnection();
  send();
});

setInterval(() => { if (isOpen()) send(); }, AGAIN);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") left = Date.now();
  else connect({ anew: Date.now() - left > ASLEEP });
});
addEventListener("pageshow", (event) => { if (event.persisted) connect({ anew: true }); });
addEventListener("online", () => connect({ anew: true }));
addEventListener("offline", tellConnection);
settle();
