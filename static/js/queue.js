// Tweets to decide on, one at a time or as a list. The next ones are in the page already (ahead.js), so that a key shows one at once;
// what was decided goes through the outbox (outbox.js).
const queue = document.getElementById("queue");
const items = document.getElementById("items");
const end = document.getElementById("end");
const reasons = document.getElementById("reasons");
const said = document.getElementById("said");
const last = document.getElementById("last");
const refused = document.getElementById("refused");
const isList = queue.dataset.view === "list";
const REMEMBERED = 20;
const opened = Date.now();

const done = [];
let current;
// Where the last decision is undone that this page did not see.
let earlier = queue.dataset.undoUrl;

const find = (tweet) => items.querySelector(`[data-tweet="${CSS.escape(tweet)}"]`);
const text = (item) => (item.querySelector(".tweet") ?? item).textContent.trim();
const short = (item) => `“${text(item).slice(0, 60)}${text(item).length > 60 ? "…" : ""}”`;
const dispatch = (name, detail) => dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));

function count(id, change) {
  const place = document.getElementById(id);
  const value = Math.max(0, Number(place.dataset.count) + change);
  place.dataset.count = value;
  // Of more than are counted, nobody sees one less.
  if (!("more" in place.dataset)) place.textContent = value.toLocaleString("en");
}

function tellDecided(change) {
  count("decided", change);
  count("waiting", -change);
  const minutes = Math.round((Number(queue.dataset.seconds) + (Date.now() - opened) / 1000) / 60);
  document.getElementById("minutes").textContent = minutes <= 1 ? "1 minute" : `${minutes} minutes`;
}

function tell(words, item) {
  last.textContent = words;
  said.textContent = item ? `${words} ${text(item)}` : words;
}

function show(item) {
  const hadFocus = current?.contains(document.activeElement);
  current?.removeAttribute("aria-current");
  // In a list the keys are those of the row.
  for (const control of isList ? items.querySelectorAll("[data-verdict]") : []) {
    if (item?.contains(control)) control.setAttribute("aria-keyshortcuts", control.dataset.verdict[0]);
    else control.removeAttribute("aria-keyshortcuts");
  }
  if (!isList && current) current.hidden = true;
  current = item;
  if (!isList) end.hidden = !!item;
  queue.toggleAttribute("data-ended", !item);
  if (item) {
    item.hidden = false;
    item.setAttribute("aria-current", "true");
    if (isList || hadFocus) item.focus({ preventScroll: !isList });
  } else if (hadFocus) end.focus();
  dispatch("queue:moved", { current });
}

// The nearest that is undecided, on one side.
function neighbour(item, way) {
  do item = way > 0 ? item.nextElementSibling : item.previousElementSibling; while (item?.dataset.said);
  return item ?? undefined;
}

const goOn = () => show(neighbour(current, 1) ?? neighbour(current, -1));

function step(way) {
  const next = current && neighbour(current, way);
  if (next) show(next);
  tell(next ? "" : way > 0 ? "That is the last one here." : "That is the first one here.", next);
}

function mark(item, outcome) {
  if (outcome) item.dataset.said = outcome; else delete item.dataset.said;
  for (const control of item.querySelectorAll("button, input")) control.disabled = !!outcome;
  const place = item.querySelector(".item__outcome");
  if (place) place.textContent = outcome;
}

function decide(verdict, reason = "") {
  const { tweet, saw = "" } = current.dataset;
  const entry = { id: crypto.randomUUID(), url: queue.dataset.decideUrl, tweet, words: queue.dataset[verdict], text: short(current) };
  entry.fields = [["tweet", tweet], ["decide", verdict], ["reason", reason], ["saw", saw]];
  done.push(entry);
  mark(current, entry.words);
  goOn();
  dispatch("outbox:send", entry);
  tell(`${entry.words}: ${entry.text}`, current ?? end);
  tellDecided(1);
  if (!isList && done.length > REMEMBERED) find(done.at(-REMEMBERED - 1).tweet)?.remove();
}

function undo() {
  const entry = done.pop();
  if (!entry || dispatch("outbox:recall", entry)) {
    const fields = [["only", entry?.tweet ?? ""]];
    dispatch("outbox:send", { id: crypto.randomUUID(), url: entry ? queue.dataset.undoUrl : earlier, tweet: entry?.tweet, undoes: entry ?? {}, fields });
  }
  const item = entry && find(entry.tweet);
  if (item) bringBack(item);
}

function bringBack(item) {
  mark(item, "");
  show(item);
  tell("Undone.", item);
  tellDecided(-1);
}

function complain(what) {
  refused.hidden = false;
  refused.querySelector("p").textContent = what;
}

addEventListener("outbox:answer", ({ detail: { tweet, words, text: start, undoes, answer } }) => {
  const item = tweet && find(tweet);
  if (answer.outcome === "refused" && undoes) {
    complain(`${answer.words} ${undoes.text ?? ""}`);
    if (!tweet && answer.event) earlier = `${queue.dataset.undoUrl}${queue.dataset.undoUrl.includes("?") ? "&" : "?"}before=${answer.event}`;
    if (!item) return;
    mark(item, undoes.words);
    tellDecided(1);
    if (item === current) goOn();
    tell("Not undone.", current ?? end);
  } else if (answer.outcome === "refused") {
    complain(`Not ${words.toLowerCase()}. ${answer.words} ${start}`);
    tellDecided(-1);
    count("waiting", -1);
    if (item) mark(item, "Refused");
  } else if (answer.item && !find(answer.tweet)) {
    // Decided before this page was opened.
    const template = Object.assign(document.createElement("template"), { innerHTML: answer.item });
    items.insertBefore(template.content.firstElementChild, current ?? null);
    bringBack(find(answer.tweet));
  } else if (!undoes && answer.words !== `${words}.`) {
    last.textContent = `${answer.words} ${start}`;
  }
});

async function toggleOrigin() {
  const item = current;
  const place = item?.querySelector(".item__origin");
  if (!place) return;
  if (!item.dataset.saw) {
    const response = await fetch(`${queue.dataset.originUrl}?tweet=${item.dataset.tweet}`, { redirect: "manual" }).catch(() => undefined);
    if (!response?.ok) return tell("Who wrote it can't be shown now.");
    place.innerHTML = await response.text();
    item.dataset.saw = "on";
  } else place.hidden = !place.hidden;
  said.textContent = place.hidden ? "" : place.textContent;
}

// A sign-in in another tab changes the token, and the page is older; outbox.js reads the cookie for the same reason.
document.getElementById("stop").addEventListener("submit", ({ target }) => {
  const cookie = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  if (cookie) target.elements.csrfmiddlewaretoken.value = cookie;
});

const ACTS = {
  next: () => step(1), previous: () => step(-1), undo, origin: toggleOrigin,
  help: () => document.getElementById("help").showModal(), noted: () => { refused.hidden = true; },
};

queue.addEventListener("click", (event) => {
  const control = event.target.closest("[data-act], [data-verdict], [data-reason]");
  if (!control) {
    const row = isList && event.target.closest(".item");
    if (row && !row.dataset.said && row !== current && !event.target.closest("a, input, label")) show(row);
    return;
  }
  event.preventDefault();
  const row = isList && control.closest(".item");
  if (row) show(row);
  if (control.dataset.act) ACTS[control.dataset.act]();
  else if (control.dataset.reason) {
    reasons.hidePopover();
    if (current) decide("reject", control.dataset.reason);
  } else if (!current) return;
  else if (control.dataset.verdict === "reject") reasons.togglePopover();
  else decide(control.dataset.verdict);
});

// What waits to be sent is decided, also if the server does not know it yet.
const unsent = [];
dispatch("outbox:list", unsent);
for (const { tweet, undoes } of unsent) if (!undoes && tweet && find(tweet)) {
  mark(find(tweet), "Waits to be sent");
  find(tweet).hidden = !isList;
}
addEventListener("queue:more", () => {
  if (current) return;
  const first = [...items.children].find((item) => !item.dataset.said);
  if (first) show(first);
  if (first) tell("", first);
});
show([...items.children].find((item) => !item.dataset.said));
queue.dataset.ready = "";
