// Picks the rows of a campus, draws them, lists them, sorts them, hands them out as CSV.
(() => {
  const data = JSON.parse(document.getElementById("reports").textContent);
  const choice = document.getElementById("campus");
  const rows = {};
  for (const [name, table] of Object.entries(data.tables)) {
    rows[name] = table.rows.map((row) => Object.fromEntries(row.map((cell, index) =>
      [table.columns[index], Array.isArray(cell) ? table.texts[cell[0]] : cell])));
  }
  const words = (column) => column.replaceAll("_", " ");
  const isShare = (column) => column.startsWith("share") || column.endsWith("rate");
  const isTime = (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value);
  const shown = (value, column) => {
    if (value === null || value === undefined) return "–";
    if (isTime(value)) return `${value.slice(0, 16).replace("T", " ")} UTC`;
    if (typeof value === "string") return value;
    if (isShare(column)) {
      return value.toLocaleString("en", { style: "percent", maximumFractionDigits: value < 0.01 ? 3 : 1 });
    }
    return value.toLocaleString("en");
  };
  // The rows of a campus; of all campuses their totals, or each row where there is no total.
  const chosen = (name) => {
    const all = rows[name] ?? [];
    if (choice.value) return all.filter((row) => row.campus_id === Number(choice.value));
    const totals = all.filter((row) => row.campus_id === null);
    return totals.length ? totals : all;
  };
  const columns = (name) => data.tables[name].columns.filter((column) => column !== "campus_id");

  const list = (name, table) => {
    const order = table.order ?? {};
    const found = [...chosen(name)];
    if (order.column) {
      found.sort((one, other) => {
        const [a, b] = [one[order.column], other[order.column]];
        if (a === b) return 0;
        if (a === null || b === null) return a === null ? 1 : -1;
        const less = typeof a === "string" ? a.localeCompare(b) : a - b;
        return order.down ? -less : less;
      });
    }
    const numeric = (column) => found.some((row) => typeof row[column] === "number");
    const head = document.createElement("tr");
    for (const column of columns(name)) {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      cell.scope = "col";
      cell.className = numeric(column) ? "n" : "";
      const down = order.column === column && order.down;
      if (order.column === column) cell.ariaSort = down ? "descending" : "ascending";
      button.type = "button";
      button.textContent = words(column);
      button.addEventListener("click", () => {
        table.order = { column, down: order.column === column ? !down : numeric(column) };
        list(name, table);
        table.querySelectorAll("th button")[columns(name).indexOf(column)].focus();
      });
      cell.append(button);
      head.append(cell);
    }
    const body = document.createElement("tbody");
    for (const row of found) {
      const line = body.insertRow();
      for (const column of columns(name)) {
        const cell = line.insertCell();
        const holder = isTime(row[column]) ? cell.appendChild(document.createElement("time")) : cell;
        holder.textContent = shown(row[column], column);
        cell.className = typeof row[column] === "number" ? "n" : "";
      }
    }
    const top = document.createElement("thead");
    top.append(head);
    table.replaceChildren(top, body);
  };

  const csv = (name) => {
    const quoted = (value) => {
      let text = value === null ? "" : String(value);
      if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`; // no formula
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = [columns(name), ...chosen(name).map((row) => columns(name).map((column) => row[column]))];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n"],
      { type: "text/csv" }));
    link.download = `${name}${choice.value ? `-campus-${choice.value}` : ""}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const days = (first, last) => (first === last ? `on ${first}` : `from ${first} to ${last}`);
  const coverage = (name) => data.relations[name].map((relation) => {
    const found = chosen("coverage").find((row) => row.relation === relation);
    if (!found) return "";
    const [read, all] = [found.students_read, found.students].map((count) => count.toLocaleString("en"));
    return ` · ${relation}: ${read} of ${all} students read (${shown(found.share_read, "share")})`
      + (found.oldest ? `, ${days(found.oldest.slice(0, 10), found.newest.slice(0, 10))}` : "");
  }).join("");

  const show = async () => {
    for (const name of Object.keys(data.relations)) {
      const section = document.getElementById(name);
      const table = section.querySelector("[data-table]");
      if (!table) continue;
      const told = section.querySelector("[data-coverage]");
      if (told) told.textContent = coverage(name);
      const found = chosen(name);
      const specification = data.charts[name];
      const drawn = specification?.usermeta;
      const count = found.filter((row) => !drawn || drawn.values.some((value) => row[value] !== null)).length;
      const empty = section.querySelector("[data-empty]");
      const off = data.off.includes(name);
      empty.hidden = count > 0 && !off;
      empty.textContent = off
        ? "The stream that this stands on is off: make streams shows it, STREAMS in .env switches it on."
          + (count ? " What was read before is shown, and goes on ageing." : "")
        : data.relations[name].length
        ? "No figures: fewer than half of the students are read so far, or there is nothing to count."
        : "Nothing.";
      list(name, table);
      if (!specification) continue;
      const height = drawn.rows ? Math.min(count, drawn.rows) * drawn.height : specification.height;
      const element = document.getElementById(`chart-${name}`);
      element.hidden = !count;
      if (count) await charts.draw(element, { ...specification, height, data: { values: found } });
    }
  };
  for (const section of document.querySelectorAll(".report")) {
    section.querySelector("[data-csv]")?.addEventListener("click", () => csv(section.id));
  }
  choice.addEventListener("change", show);
  charts.keep(show);
})();
