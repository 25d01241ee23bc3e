// The status page's charts, each into the element of its name.
charts.keep(async () => {
  const all = JSON.parse(document.getElementById("charts").textContent);
  for (const [id, specification] of Object.entries(all)) {
    const element = document.getElementById(id);
    if (element) await charts.draw(element, specification);
  }
});
