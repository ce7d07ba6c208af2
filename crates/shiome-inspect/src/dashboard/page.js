// What all parts of the page use.

const $ = (id) => document.getElementById(id);
const acts = document.documentElement.dataset.acts === "true";
const NONE = "–";

/** An element with attributes and contents; text is never markup. */
function make(name, attributes = {}, ...contents) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...contents);
  return element;
}

/** Changes what is there only if it differs: most of it stays from one snapshot to the next. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const scaled = (number, step, units) => {
  let unit = 0;
  while (number >= step && unit < units.length - 1) {
    number /= step;
    unit += 1;
  }
  return `${unit === 0 || number >= 100 ? Math.round(number) : number.toFixed(1)} ${units[unit]}`.trim();
};
const bytes = (count) => count == null ? NONE : scaled(count, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
const rate = (count) => count == null ? NONE : `${bytes(count)}/s`;
const count = (number) => number == null ? NONE : scaled(number, 1000, ["", "k", "M", "G"]);
const micros = (us) => us == null ? NONE : us < 1000 ? `${us} µs` : us < 1e6 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1e6).toFixed(1)} s`;
const sum = (map) => Object.values(map ?? {}).reduce((all, one) => all + one, 0);

function age(ms) {
  const secs = Math.floor(ms / 1000);
  if (secs < 60) return `${secs} s`;
  if (secs < 3600) return `${Math.floor(secs / 60)} min`;
  if (secs < 86400) return `${Math.floor(secs / 3600)} h ${Math.floor(secs / 60) % 60} min`;
  return `${Math.floor(secs / 86400)} d ${Math.floor(secs / 3600) % 24} h`;
}

/** Numbers in names count as numbers: n9 comes before n10. */
const { compare } = new Intl.Collator("en", { numeric: true });

/** A list of terms, `[[term, text], …]`, written over the one that is there. */
function facts(list, entries) {
  while (list.children.length > 2 * entries.length) list.lastChild.remove();
  entries.forEach(([term, text], at) => {
    if (!list.children[2 * at]) list.append(make("dt"), make("dd"));
    say(list.children[2 * at], term);
    say(list.children[2 * at + 1], String(text));
  });
}

/** A table whose rows are written over: the page has no more of them than are shown. */
class Table {
  #body = make("tbody");
  #sorted;

  constructor(panel, caption, heads, sorted) {
    this.caption = make("caption", {}, caption);
    this.#sorted = sorted;
    const head = make("tr", {}, ...heads.map((text, at) => make("th", { scope: "col" }, sorted ? this.#sorter(text, at) : text)));
    const table = make("table", {}, this.caption, make("thead", {}, head), this.#body);
    panel.append(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table));
    this.heads = [...head.children];
  }

  #sorter(text, at) {
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", () => this.#sorted(at));
    return button;
  }

  /** Rows of cells: text, or `{ text, state }`, or `{ button, act }`. */
  show(rows) {
    while (this.#body.children.length > rows.length) this.#body.lastChild.remove();
    rows.forEach((cells, at) => {
      const row = this.#body.children[at] ?? this.#body.appendChild(make("tr"));
      while (row.children.length > cells.length) row.lastChild.remove();
      cells.forEach((cell, at) => this.#cell(row.children[at] ?? row.appendChild(make("td")), cell));
    });
  }

  #cell(place, cell) {
    if (cell === null || typeof cell !== "object") return say(place, String(cell));
    if (cell.button !== undefined) {
      if (!place.firstElementChild) place.replaceChildren(make("button", { type: "button" }));
      say(place.firstChild, cell.button);
      place.firstChild.onclick = cell.act;
    } else {
      say(place, cell.text);
      attribute(place, "class", cell.state);
    }
  }
}

/** A field to search in, which tells of what is typed when typing pauses. */
function searchField(label, changed) {
  const field = make("input", { type: "search", maxlength: "256" });
  let pause;
  field.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => changed(field.value), 200);
  });
  return make("label", {}, `${label} `, field);
}
