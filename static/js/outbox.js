// What was decided is sent behind the page, one after the other, and kept in the tab until the server has it: through a lost
// connection, a stumbling server, a session that expired. Others ask by `outbox:send` and hear by `outbox:answer`.
const line = document.querySelector("[data-outbox]");
const { who, signIn, ...words } = line.dataset;
const store = `outbox:${who}`;
const LONGEST_PAUSE = 30_000;
const REPORTED = { 403: "forbidden", 409: "somebodyElse", 429: "hurry" };

let waiting = [];
try { waiting = JSON.parse(sessionStorage.getItem(store) ?? "[]"); } catch { /* storage refused: kept for this page */ }
let trouble = waiting.length ? "left" : "";
let isSending = false;
let pause = 0;
let timer;

const keep = () => { try { sessionStorage.setItem(store, JSON.stringify(waiting)); } catch { /* as above */ } };
const token = () => /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";

function tell() {
  if (!trouble || !waiting.length) return line.replaceChildren();
  line.textContent = `${words[trouble]} ${waiting.length} decision${waiting.length === 1 ? " waits" : "s wait"} to be sent. `;
  if (trouble !== "signedOut" && trouble !== "somebodyElse") return;
  const href = `${signIn}?next=${encodeURIComponent(location.pathname + location.search)}`;
  line.append(Object.assign(document.createElement("a"), { href, textContent: "Sign in" }), ", here or in another tab.");
}

// Return what is in the way, or nothing: then the first that waits has been answered.
async function sendFirst() {
  const { url, fields } = waiting[0];
  // The cookie's token, which a new sign-in changes; and who is meant to be signed in.
  const request = { method: "POST", body: new URLSearchParams([...fields, ["who", who]]), redirect: "manual", signal: AbortSignal.timeout(20_000) };
  const response = await fetch(url, { ...request, headers: { "X-CSRFToken": token(), Accept: "application/json" } });
  if (response.type === "opaqueredirect") return "signedOut";
  if (response.status >= 500) return "stumbled";
  if (REPORTED[response.status]) {
    pause = 500 * Number(response.headers.get("Retry-After") ?? 0) || pause;
    return REPORTED[response.status];
  }
  const answer = response.ok ? await response.json() : { outcome: "refused", words: words.refused };
  const entry = waiting.shift();
  keep();
  dispatchEvent(new CustomEvent("outbox:answer", { detail: { ...entry, answer } }));
  return "";
}

async function send() {
  if (isSending || !waiting.length) return;
  clearTimeout(timer);
  isSending = true;
  do trouble = await sendFirst().catch(() => "offline"); while (!trouble && waiting.length);
  isSending = false;
  pause = trouble && Math.min(Math.max(1000, pause * 2), LONGEST_PAUSE);
  if (trouble) timer = setTimeout(send, pause);
  tell();
}

addEventListener("outbox:send", ({ detail }) => {
  waiting.push(detail);
  keep();
  if (trouble) tell();
  else send();
});
// Takes back what was not sent yet; what is on its way may have arrived.
addEventListener("outbox:recall", (event) => {
  if (waiting.at(-1)?.id !== event.detail.id || (isSending && waiting.length === 1)) return;
  waiting.pop();
  keep();
  tell();
  event.preventDefault();
});
addEventListener("outbox:list", ({ detail }) => detail.push(...waiting));
for (const name of ["pageshow", "online", "focus"]) addEventListener(name, send);
