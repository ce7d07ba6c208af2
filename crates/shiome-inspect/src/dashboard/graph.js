// The cluster, drawn: this node in the middle, the others on rings around it.

/** A phone is held upright. Labels of more nodes than `labelled` cover each other, with figures of more than `measured`. */
const WIDE = { x: 500, y: 280, outerX: 430, outerY: 225, labelled: 40, measured: 16, font: 14 };
const TALL = { x: 300, y: 300, outerX: 235, outerY: 255, labelled: 12, measured: 2, font: 20 };
const narrow = matchMedia("(max-width: 52rem)");
let stage = WIDE;

const drawn = new Map();
const svg = (name, attributes = {}) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

/** Places on as few rings as hold so many, each with a share by its length. */
function places(total) {
  if (total === 0) return [];
  let rings = 1;
  // Neighbours on a ring are then no closer than rings are to each other.
  while (total > 2 * Math.PI * 335 * 0.62 * (rings + 1) / (460 * 0.62 / rings) && rings < 12) rings += 1;
  const sizes = Array.from({ length: rings }, (_, ring) => rings === 1 ? 1 : 0.35 + 0.65 * ring / (rings - 1));
  const length = sizes.reduce((all, size) => all + size, 0);
  const all = [];
  let left = total;
  sizes.forEach((size, ring) => {
    const here = ring === rings - 1 ? left : Math.min(left, Math.round(total * size / length));
    left -= here;
    for (let at = 0; at < here; at += 1) {
      const angle = 2 * Math.PI * (at + (ring % 2) / 2) / here - Math.PI / 2;
      const [x, y] = [stage.x + stage.outerX * size * Math.cos(angle), stage.y + stage.outerY * size * Math.sin(angle)];
      all.push({ x: Math.round(x), y: Math.round(y) });
    }
  });
  return all;
}

let placed = { total: -1, stage, all: [] };

function drawGraph() {
  const others = model.nodes.slice(1);
  stage = narrow.matches ? TALL : WIDE;
  attribute($("graph"), "viewBox", `0 0 ${2 * stage.x} ${2 * stage.y}`);
  if (placed.total !== others.length || placed.stage !== stage) placed = { total: others.length, stage, all: places(others.length) };
  const radius = others.length <= 12 ? 20 : others.length <= 40 ? 14 : others.length <= 150 ? 9 : 6;
  const seen = new Set();
  model.nodes.forEach((entry, at) => {
    seen.add(entry.key);
    const figure = drawn.get(entry.key) ?? draw(entry);
    place(figure, entry, at === 0 ? stage : placed.all[at - 1], at === 0 ? Math.max(radius, 16) : radius);
  });
  for (const [key, figure] of drawn) {
    if (seen.has(key)) continue;
    figure.group.remove();
    figure.line.remove();
    drawn.delete(key);
  }
  summarise();
}

function draw(entry) {
  const figure = {
    group: svg("g", { role: "option", id: `node-${nextFigure += 1}` }),
    line: svg("line"),
    circle: svg("circle"),
    mark: svg("text", { class: "mark", "aria-hidden": "true" }),
    label: svg("text", { class: "label", "aria-hidden": "true" }),
    title: svg("title"),
  };
  figure.group.append(figure.title, figure.circle, figure.mark, figure.label);
  figure.group.addEventListener("click", () => choose(entry.key));
  $("nodes").append(figure.group);
  $("links").append(figure.line);
  drawn.set(entry.key, figure);
  return figure;
}
let nextFigure = 0;

const MARKS = { suspect: "?", failed: "×", lost: "×", own: "●" };

function place({ group, line, circle, mark, label, title }, entry, { x, y }, radius) {
  const isChosen = entry.key === model.chosen;
  attribute(group, "class", `${entry.state}${isChosen ? " chosen" : ""}`);
  attribute(group, "data-name", entry.name);
  attribute(group, "aria-selected", String(isChosen));
  attribute(group, "transform", `translate(${x} ${y})`);
  attribute(circle, "r", String(radius));
  attribute(mark, "font-size", String(radius * 1.3));
  say(mark, MARKS[entry.state] ?? "");
  const passed = model.rates.get(entry.session?.node_id);
  const moved = passed && passed.in + passed.out;
  const trip = entry.session?.round_trip_mean_us;
  const figures = entry.session ? `${rate(moved)}, ${micros(trip)}` : "";
  const text = `${entry.name}: ${entry.word}${figures && `, ${figures}`}`;
  attribute(group, "aria-label", text);
  say(title, text);
  const isLabelled = placed.total <= stage.labelled || isChosen || entry.state === "own";
  const isMeasured = placed.total <= stage.measured && figures;
  say(label, isLabelled ? (isMeasured ? `${entry.name} · ${figures}` : entry.name) : "");
  // A label at the side begins or ends there, and stays inside.
  const side = (x - stage.x) / stage.x;
  attribute(label, "text-anchor", side > 0.5 ? "end" : side < -0.5 ? "start" : "middle");
  attribute(label, "x", String(Math.abs(side) > 0.5 ? Math.sign(side) * radius : 0));
  attribute(label, "y", String(y > stage.y ? radius + stage.font : -radius - 8));
  attribute(label, "font-size", String(stage.font));
  link(line, entry, { x, y }, moved, trip);
}

/** The line to this node: as thick as much passes, as red as it is slow. */
function link(line, entry, { x, y }, moved, trip) {
  for (const [name, value] of Object.entries({ x1: stage.x, y1: stage.y, x2: x, y2: y })) attribute(line, name, String(value));
  attribute(line, "visibility", entry.session ? "visible" : "hidden");
  if (!entry.session) return;
  attribute(line, "data-to", entry.name);
  attribute(line, "stroke-dasharray", entry.session.state === "ready" ? "none" : "4 6");
  const width = placed.total > 100 ? 0.7 : 1.5 + Math.min(6, Math.log10(1 + (moved ?? 0)));
  const slow = trip == null ? 0 : Math.min(100, Math.max(0, 40 * Math.log10(trip / 500)));
  const own = `${width.toFixed(1)}px`;
  if (line.style.strokeWidth !== own) line.style.strokeWidth = own;
  const colour = `color-mix(in srgb, var(--failed) ${Math.round(slow / 5) * 5}%, var(--line))`;
  if (line.dataset.colour !== colour) {
    line.dataset.colour = colour;
    line.style.stroke = colour;
  }
}

function summarise() {
  const counts = new Map();
  for (const { word } of model.nodes.slice(1)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts].sort(([one], [other]) => compare(one, other)).map(([word, many]) => `${many} ${word}`);
  say($("summary"), `${model.nodes.length - 1} other nodes${words.length ? `: ${words.join(", ")}` : ""}`);
}

function choose(key) {
  model.chosen = key;
  const group = drawn.get(key)?.group;
  if (group) attribute($("graph"), "aria-activedescendant", group.id);
  else $("graph").removeAttribute("aria-activedescendant");
  render();
}

narrow.addEventListener("change", () => render());
$("graph").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const last = model.nodes.length - 1;
  const at = model.nodes.findIndex((entry) => entry.key === model.chosen);
  const to = event.key === "Home" ? 0 : event.key === "End" ? last : step && (at + step + last + 1) % (last + 1);
  if (event.key === "Escape") choose(null);
  else if (to !== undefined && last >= 0) choose(model.nodes[at < 0 && step ? 0 : to].key);
  else return;
  event.preventDefault();
});
