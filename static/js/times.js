// Times are written in UTC, for those without scripts; who has them reads what their own clock will say. In the same words, so that
// what stands behind does not move.
const format = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

function here(time) {
  const { day, month, hour, minute, timeZoneName } = Object.fromEntries(format.formatToParts(new Date(time.dateTime)).map(({ type, value }) => [type, value]));
  return `${day} ${month}, ${hour}:${minute} ${timeZoneName}`;
}

const tell = () => {
  for (const time of document.querySelectorAll("time[data-time]"))
    if (time.textContent !== here(time)) time.textContent = here(time);
};

tell();
addEventListener("htmx:afterSettle", tell);
