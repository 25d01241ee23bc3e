// The lines of the lineage picture, and what belongs to the node that the reader points at.
(() => {
  const picture = document.querySelector(".lineage");
  const edges = JSON.parse(document.getElementById("edges").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const lines = document.createElementNS(SVG, "svg");
  lines.setAttribute("aria-hidden", "true");
  picture.prepend(lines);
  // layers are beside each other; on a phone below each other
  const beside = () => getComputedStyle(picture).gridTemplateColumns.includes(" ");
  const curve = (from, to) => {
    const origin = picture.getBoundingClientRect();
    const [a, b] = [from, to].map((id) => document.getElementById(id).getBoundingClientRect());
    const middle = (one, other) => (one + other) / 2;
    if (beside()) {
      const [x, y, x2, y2] = [a.right - origin.left, middle(a.top, a.bottom) - origin.top,
        b.left - origin.left, middle(b.top, b.bottom) - origin.top];
      return `M${x} ${y} C${middle(x, x2)} ${y} ${middle(x, x2)} ${y2} ${x2} ${y2}`;
    }
    const [x, y, x2, y2] = [middle(a.left, a.right) - origin.left, a.bottom - origin.top,
      middle(b.left, b.right) - origin.left, b.top - origin.top];
    return `M${x} ${y} C${x} ${middle(y, y2)} ${x2} ${middle(y, y2)} ${x2} ${y2}`;
  };
  const paths = edges.map(([from, to]) => {
    const path = document.createElementNS(SVG, "path");
    lines.append(path);
    return { from, to, path };
  });
  const draw = () => {
    for (const { from, to, path } of paths) path.setAttribute("d", curve(from, to));
  };
  draw();
  new ResizeObserver(draw).observe(picture);

  const related = (start, one, other) => {
    const found = new Set([start]);
    for (const node of found) for (const edge of paths) if (edge[one] === node) found.add(edge[other]);
    return found;
  };
  const choose = (node) => {
    picture.classList.toggle("chosen", Boolean(node));
    const up = node ? related(node.id, "to", "from") : new Set();
    const down = node ? related(node.id, "from", "to") : new Set();
    for (const box of picture.querySelectorAll(".node")) {
      box.classList.toggle("on", up.has(box.id) || down.has(box.id));
    }
    for (const { from, to, path } of paths) {
      path.classList.toggle("on", (up.has(from) && up.has(to)) || (down.has(from) && down.has(to)));
    }
  };
  for (const event of ["pointerover", "focusin"]) {
    picture.addEventListener(event, ({ target }) => choose(target.closest(".node")));
  }
  for (const event of ["pointerleave", "focusout"]) picture.addEventListener(event, () => choose(null));
})();
