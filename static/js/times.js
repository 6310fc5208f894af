// Times are written in UTC, for those without scripts; who has them reads what their own clock will say.
const format = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });

const tell = () => {
  for (const time of document.querySelectorAll("time[data-time]")) time.textContent = format.format(new Date(time.dateTime));
};

tell();
addEventListener("htmx:afterSettle", tell);
