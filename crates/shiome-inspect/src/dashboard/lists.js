// Actors and groups: asked for by pages, since there can be many.

/** The shortest time from one request to the next that nobody has asked for, in milliseconds. */
const LIST_INTERVAL = 2000;

class Pages {
  #after = [undefined];
  #search = "";
  #last = 0;
  #asked = 0;
  #next;

  constructor(name, caption, heads, row, more = []) {
    Object.assign(this, { name, row });
    const search = searchField("Search", (text) => {
      this.#search = text;
      this.begin();
    });
    this.back = make("button", { type: "button" }, "Back");
    this.on = make("button", { type: "button" }, "On");
    this.back.addEventListener("click", () => this.#turn(() => this.#after.length > 1 && this.#after.pop()));
    this.on.addEventListener("click", () => this.#turn(() => this.#next && this.#after.push(this.#next)));
    this.where = make("span", { role: "status" });
    $(`panel-${name}`).append(make("div", { class: "tools" }, search, ...more, this.back, this.on, this.where));
    this.table = new Table($(`panel-${name}`), caption, heads);
  }

  begin() {
    this.#turn(() => this.#after.splice(1));
  }

  #turn(change) {
    change();
    this.#last = 0;
    return this.refresh();
  }

  /** Asks again, unless that was done just now. */
  async refresh() {
    if (Date.now() - this.#last < LIST_INTERVAL) return;
    this.#last = Date.now();
    this.#asked += 1;
    const mine = this.#asked;
    const query = new URLSearchParams({ limit: String(PAGE), ...this.extra?.() });
    if (this.#search) query.set("search", this.#search);
    const after = this.#after.at(-1);
    if (after !== undefined) query.set("after", after);
    try {
      const response = await fetch(`${BASE}v1/${this.name}?${query}`);
      const answer = await response.json();
      // An answer that a later request has overtaken.
      if (mine !== this.#asked) return;
      if (!response.ok) throw new Error(answer.error);
      this.#next = answer.next;
      this.table.show(answer.items.map(this.row));
      [this.back.disabled, this.on.disabled] = [this.#after.length === 1, !answer.next];
      say(this.where, `${answer.total} in all, page ${this.#after.length}`);
    } catch (error) {
      if (mine === this.#asked) say(this.where, error.message);
    }
  }
}

const BASE = location.pathname.replace(/\/?$/, "/");
const whose = make("select");
whose.addEventListener("change", () => actorPages.begin());

const actorPages = new Pages("actors", "Actors", ["Number", "Name", "State", "Peers can reach it", "Supervisor"], (actor) => [
  actor.pid, actor.name ?? NONE, actor.status || NONE, actor.exposed ? "yes" : actor.remotable ? "not exposed" : "not serializable",
  actor.supervisor ?? NONE,
], [make("label", {}, "Of ", whose)]);
actorPages.extra = () => whose.value && whose.value !== "0" ? { node_id: whose.value } : {};

const groupPages = new Pages("groups", "Process groups", ["Scope", "Name", "Here", "At peers", "Members"], (group) => [
  group.scope, group.name, group.local, group.remote, group.members.slice(0, 8).map(memberName).join(", ") + (group.members.length > 8 ? ", …" : ""),
]);

function memberName({ node_id: id, pid, name }) {
  const peer = model.snapshot?.sessions.find((session) => session.node_id === id);
  return `${name ?? pid}${id ? `@${peer?.peer.split("@")[0] ?? id}` : ""}`;
}

function showActors() {
  const { node, sessions } = model.snapshot;
  const ready = sessions.filter((session) => session.state === "ready").sort((one, other) => compare(one.peer, other.peer));
  const options = [["0", node.name], ...ready.map((session) => [String(session.node_id), session.peer])];
  const known = [...whose.options].map((option) => option.value).join();
  if (known !== options.map(([id]) => id).join()) {
    const before = whose.value;
    whose.replaceChildren(...options.map(([value, name]) => make("option", { value }, name)));
    whose.value = options.some(([id]) => id === before) ? before : "0";
    if (before && whose.value !== before) actorPages.begin();
  }
  actorPages.refresh();
}
