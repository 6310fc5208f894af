// Keeps tweets ahead of whoever decides, so that none is waited for, and keeps them from others while somebody is here.
const queue = document.getElementById("queue");
const items = document.getElementById("items");
const isList = queue.dataset.view === "list";
const AHEAD = 5;
const BEAT = 60_000;
const LOOK_AGAIN = 15_000;
// Whoever has touched nothing for so long has left: their tweets go to others.
const LEFT = 5 * 60_000;

let isAsking = false;
let touched = Date.now();
let current;

async function post(url, tweets) {
  const headers = { "X-CSRFToken": /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "" };
  const body = new URLSearchParams(tweets.map((tweet) => ["tweet", tweet]));
  const response = await fetch(url, { method: "POST", headers, body, redirect: "manual" }).catch(() => undefined);
  return response?.ok ? response.text() : "";
}

const open = () => [...items.children].filter((item) => !item.dataset.said);
const find = (tweet) => items.querySelector(`[data-tweet="${CSS.escape(tweet)}"]`);

async function fill() {
  const isAhead = (item) => !current || current.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (isList || isAsking || open().filter(isAhead).length > AHEAD) return;
  isAsking = true;
  const unsent = [];
  dispatchEvent(new CustomEvent("outbox:list", { detail: unsent }));
  const known = [...open().map((item) => item.dataset.tweet), ...unsent.map(({ tweet }) => tweet).filter(Boolean)];
  const template = Object.assign(document.createElement("template"), { innerHTML: await post(queue.dataset.nextUrl, known) });
  // Sent and answered meanwhile, or brought back by an undo.
  const fresh = [...template.content.querySelectorAll(".item")].filter(({ dataset }) => !find(dataset.tweet) && !known.includes(dataset.tweet));
  items.append(...fresh);
  isAsking = false;
  if (fresh.length) dispatchEvent(new CustomEvent("queue:more"));
}

async function beat() {
  if (document.visibilityState === "hidden" || Date.now() - touched > LEFT) return;
  const mine = open().map((item) => item.dataset.tweet);
  const told = mine.length && await post(queue.dataset.keepUrl, mine);
  for (const tweet of told ? JSON.parse(told).lost : []) {
    if (find(tweet) !== current) find(tweet)?.remove();
  }
}

addEventListener("queue:moved", ({ detail }) => {
  ({ current } = detail);
  touched = Date.now();
  fill();
});
setInterval(beat, BEAT);
document.addEventListener("visibilitychange", beat);
setInterval(() => { if (!current && document.visibilityState === "visible") fill(); }, LOOK_AGAIN);
// Back from another page: what lay here may be decided.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
