// A time that is typed is meant by the clock of whoever types it: the server is told which one that is.
const zone = document.querySelector("[name=zone]");
if (zone) zone.value = new Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
