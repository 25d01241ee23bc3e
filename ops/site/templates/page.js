// "12 minutes ago", told anew every minute, so that an old page admits its age.
(() => {
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = (seconds) => {
    for (const [unit, size] of units) {
      if (Math.abs(seconds) >= size * (unit === "day" ? 2 : 1)) {
        return words.format(Math.round(seconds / size), unit);
      }
    }
    return "just now";
  };
  // a phone shows the cells of a row below each other, each with its column's name
  for (const table of document.querySelectorAll(":is(.card.scroll, .prose) table")) {
    const names = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent);
    for (const cell of table.querySelectorAll("tbody td:not([colspan])")) {
      if (names[cell.cellIndex]) cell.dataset.column = names[cell.cellIndex];
      cell.classList.toggle("blank", ["", "–"].includes(cell.textContent));
    }
  }
  const tell = () => {
    for (const element of document.querySelectorAll("time[datetime]")) {
      const moment = new Date(element.dateTime);
      element.title ||= element.textContent;
      element.textContent = relative((moment - Date.now()) / 1000);
    }
    for (const banner of document.querySelectorAll("[data-degraded-at]")) {
      const passed = (name) => new Date(banner.dataset[name]) < Date.now();
      const level = passed("failingAt") ? "bad" : passed("degradedAt") ? "warn" : "";
      if (!level || banner.classList.contains("bad") || banner.classList.contains(level)) continue;
      banner.className = `banner ${level}`;
      banner.querySelector("[data-headline]").textContent =
        "Overdue: no good pass lately, or this page is not written any more";
    }
  };
  tell();
  setInterval(tell, 60000);
})();
