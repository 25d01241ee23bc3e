// The dictionary's search, and its buttons that copy a statement.
(() => {
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const hint = found.innerHTML;
  const entries = [...document.querySelectorAll(".entry")];
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (text) => words.every((word) => text.toLowerCase().includes(word));
    let tables = 0;
    let columns = 0;
    for (const entry of entries) {
      const whole = has(`${entry.id} ${entry.querySelector("[data-about]").textContent}`);
      let own = 0;
      for (const row of entry.querySelectorAll(".columns tbody tr")) {
        row.hidden = !whole && !has(`${entry.id} ${row.textContent}`);
        own += !row.hidden;
      }
      entry.hidden = !whole && !own;
      if (words.length && own) entry.querySelector("details").open = true;
      tables += !entry.hidden;
      columns += own;
    }
    if (words.length) found.textContent = `${columns} columns in ${tables} tables`;
    else found.innerHTML = hint;
    document.getElementById("none").hidden = tables > 0;
  };
  search.addEventListener("input", show);
  search.form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input")) return;
    event.preventDefault();
    search.focus();
  });

  // a phone gets the tables' names and opens what it wants
  const target = () => document.querySelector(`[id="${decodeURIComponent(location.hash.slice(1))}"] details`);
  if (matchMedia("(max-width: 560px)").matches) {
    for (const entry of entries) entry.querySelector("details").open = false;
    target()?.setAttribute("open", "");
    addEventListener("hashchange", () => target()?.setAttribute("open", ""));
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => {
      // navigator.clipboard is missing on pages that come by plain HTTP
      getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
      button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl-C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
})();
