// Counts the time of a phase down from what the server said was left when its frame came: no clock of a phone's is compared with the
// server's. Tells `clock:out` once when it is over; what happens then is the server's to say.
const TICK = 100;
let shown;
let came = 0;
let isOver = false;

const spell = (seconds) => (seconds < 60 ? `${seconds}` : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);

function draw() {
  const clock = document.getElementById("clock");
  if (clock !== shown) {
    shown = clock;
    came = performance.now();
    isOver = false;
  }
  if (!clock?.dataset.left) return;
  const { left, given, running } = clock.dataset;
  const passed = running === "true" ? performance.now() - came : 0;
  const rest = Math.max(0, Number(left) - passed);
  const number = clock.querySelector(".clock__number");
  const words = spell(Math.ceil(rest / 1000));
  if (number.textContent !== words) number.textContent = words;
  clock.querySelector(".clock__left").style.strokeDashoffset = 1 - Math.min(1, rest / Number(given));
  if (rest || isOver) return;
  isOver = true;
  dispatchEvent(new CustomEvent("clock:out"));
}

draw();
setInterval(draw, TICK);
// A clock that has just come is drawn before it is seen.
new MutationObserver(() => { if (document.getElementById("clock") !== shown) draw(); }).observe(document.body, { childList: true, subtree: true });
