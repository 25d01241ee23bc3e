// Charts in the page's colours, drawn again when the reader's machine turns dark or light.
const charts = (() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const coloured = (value) => {
    if (typeof value === "string" && /^@[a-z0-9]+$/.test(value)) return colour(value.slice(1));
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) =>
        [key, key === "values" ? inner : coloured(inner)]));
    }
    return value;
  };
  const config = () => ({
    background: null,
    font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
    view: { stroke: null },
    axis: {
      labelColor: colour("muted"), titleColor: colour("muted"), gridColor: colour("line"),
      domainColor: colour("line"), tickColor: colour("line"), labelFontSize: 12,
      titleFontSize: 12, titleFontWeight: "normal",
    },
    axisY: { domain: false, ticks: false },
    legend: { labelColor: colour("text"), labelFontSize: 12.5, symbolType: "square", labelLimit: 0 },
    text: { fontSize: 12 },
  });
  const draw = (element, specification) => vegaEmbed(element, coloured(specification), {
    actions: false, ast: true, config: config(), renderer: "svg",
  });
  // Draws them now and at each change; `drawAll` returns when all are there.
  const keep = (drawAll) => {
    const again = async () => {
      await drawAll();
      document.documentElement.dataset.drawn = dark.matches ? "dark" : "light";
    };
    dark.addEventListener("change", again);
    return again();
  };
  return { draw, keep };
})();
