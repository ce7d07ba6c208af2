// Sessions with their lanes, and the node that is chosen.

const PAGE = 50;
const lists = { members: { search: "", page: 0 }, sessions: { search: "", page: 0, by: 0, up: true } };

const LANES = ["control", "express", "bulk"];
const lane = (session, name) => session.lanes.find((one) => one.name === name);
const queued = (session) => LANES.map((name) => count(lane(session, name)?.queued ?? 0)).join(" / ");

/** What sessions are sorted by, column by column. */
const SESSION_KEYS = [
  (one) => one.peer || one.address, (one) => one.state, (one) => one.tier, (one) => one.round_trip_mean_us ?? -1,
  (one) => model.rates.get(one.node_id)?.in ?? 0, (one) => model.rates.get(one.node_id)?.out ?? 0, (one) => one.queued_bytes,
  (one) => one.queued_bytes, (one) => one.credit_bytes ?? -1, (one) => one.calls_out, (one) => sum(one.drops),
];

const sessionTable = paged("sessions", "Sessions of this node", [
  "Peer", "State", "Tier", "Round trip", "In", "Out", "Waits", "Queued: control / express / bulk", "Credit", "Calls out / in", "Drops",
], (at) => {
  const list = lists.sessions;
  list.up = list.by === at ? !list.up : at < 3;
  list.by = at;
  render();
});
const memberTable = paged("members", "Nodes of the cluster", ["Name", "Address", "State", "Incarnation", "Gossip", "Session"]);

/** A table with a search field and buttons to other pages. */
function paged(name, caption, heads, sorted) {
  const panel = $(`panel-${name}`);
  const list = lists[name];
  const search = searchField("Search", (text) => {
    [list.search, list.page] = [text, 0];
    render();
  });
  const turn = (step) => () => {
    list.page += step;
    render();
  };
  const [back, on] = [make("button", { type: "button" }, "Back"), make("button", { type: "button" }, "On")];
  back.addEventListener("click", turn(-1));
  on.addEventListener("click", turn(1));
  const where = make("span", { role: "status" });
  panel.append(make("div", { class: "tools" }, search, back, on, where));
  const table = new Table(panel, caption, heads, sorted);
  return {
    heads: table.heads,
    show(all, row) {
      const pages = Math.max(1, Math.ceil(all.length / PAGE));
      list.page = Math.min(Math.max(0, list.page), pages - 1);
      table.show(all.slice(list.page * PAGE, (list.page + 1) * PAGE).map(row));
      [back.disabled, on.disabled] = [list.page === 0, list.page === pages - 1];
      say(where, `${all.length} in all, page ${list.page + 1} of ${pages}`);
    },
  };
}

const matches = (search, ...texts) => texts.some((text) => (text ?? "").includes(search));

function showSessions() {
  const { search, by, up } = lists.sessions;
  const key = SESSION_KEYS[by];
  const order = (one, other) => {
    const [a, b] = [key(one), key(other)];
    return (typeof a === "string" ? compare(a, b) : a - b) * (up ? 1 : -1);
  };
  const found = model.snapshot.sessions.filter((one) => matches(search, one.peer, one.address, one.state));
  sessionTable.heads.forEach((head, at) => attribute(head, "aria-sort", at === by ? (up ? "ascending" : "descending") : "none"));
  sessionTable.show(found.sort(order), sessionRow);
}

function sessionRow(session) {
  const passed = model.rates.get(session.node_id);
  const strain = session.stalled ? "stalled" : session.full ? "full" : "";
  return [
    { button: session.peer || session.address, act: () => choose(session.peer || session.address) },
    { text: strain ? `${session.state}, ${strain}` : session.state, state: strain ? "failed" : session.state === "ready" ? "alive" : "suspect" },
    `${session.tier} ${session.security}${session.bound ? ", bound" : ""}`,
    micros(session.round_trip_mean_us),
    rate(passed?.in),
    rate(passed?.out),
    bytes(session.queued_bytes),
    queued(session),
    bytes(session.credit_bytes),
    `${session.calls_out} / ${session.calls_in}`,
    count(sum(session.drops)),
  ];
}

function showMembers() {
  const found = model.nodes.filter((one) => matches(lists.members.search, one.name, one.address, one.word));
  memberTable.show(found, (entry) => [
    { button: entry.name, act: () => choose(entry.key) },
    entry.address,
    { text: entry.word, state: entry.state },
    entry.member?.incarnation ?? NONE,
    entry.member ? (entry.member.compact ? "shiome" : "common") : NONE,
    entry.session?.state ?? NONE,
  ]);
}

const detail = { facts: make("dl"), title: make("h3", {}, "Lanes"), box: make("div") };
detail.lanes = new Table(detail.box, "Lanes of its session", ["Lane", "Sent", "Received", "Waits"]);
$("detail").append(detail.facts, detail.title, detail.box);

function showChosen() {
  const entry = chosenNode() ?? model.nodes[0];
  say($("chosen-title"), entry.name);
  const { session, peer, member } = entry;
  const passed = model.rates.get(session?.node_id);
  facts(detail.facts, [
    ["State", entry.word],
    ["Address", entry.address || NONE],
    ...(member ? [["Gossip id", member.id], ["Incarnation", member.incarnation]] : []),
    ...(entry.state === "own" ? ownFacts(model.snapshot.node) : []),
    ...(session ? sessionFacts(session, passed) : []),
    ...(peer ? peerFacts(peer) : []),
    ...(entry.gone ? [["Gone since", new Date(entry.gone.at).toLocaleTimeString()]] : []),
  ]);
  detail.title.hidden = detail.box.hidden = !session;
  detail.lanes.show((session?.lanes ?? []).map((one) => [
    one.name, `${count(one.sent)}, ${bytes(one.sent_bytes)}`, `${count(one.received)}, ${bytes(one.received_bytes)}`,
    `${count(one.queued)}, ${bytes(one.queued_bytes)}`,
  ]));
  $("ping").disabled = !session;
}

const ownFacts = (node) => [
  ["Listens at", node.listening.join(", ")],
  ["Sessions", `${node.sessions} of ${node.max_sessions} at most`],
  ["Exposes", node.explicit_exposure ? `${node.exported} exported actors` : "all actors"],
  ["Denied", count(node.denied)],
  ["Strangers", `${count(node.admission.admitted)} admitted, ${count(node.admission.failed)} failed, ${
    count(node.admission.refused_full + node.admission.refused_source + node.admission.refused_penalty)} refused`],
  ...node.kept.map((kept) => [`Keeps ${kept.address}`, kept.state === "connecting" ? `dial ${kept.attempt} in ${age(kept.next_in_ms)}` : kept.state]),
];

const sessionFacts = (session, passed) => [
  ["Session", `${session.state}, ${session.inbound ? "accepted" : "dialled"}, ${age(session.age_ms)}`],
  ["Link", `${session.tier}, ${session.security}${session.bound ? ", name bound" : ""}`],
  ["Round trip", `${micros(session.round_trip_us)}, mean ${micros(session.round_trip_mean_us)}`],
  ["In", `${rate(passed?.in)}, ${bytes(session.bytes_in)} in all`],
  ["Out", `${rate(passed?.out)}, ${bytes(session.bytes_out)} in all`],
  ["Waits", `${bytes(session.queued_bytes)}${session.full ? ", full" : ""}${session.stalled ? ", stalled" : ""}`],
  ["Credit", `${bytes(session.credit_bytes)}; grants ${bytes(session.window_bytes)}`],
  ["Calls", `${session.calls_out} out, ${session.calls_in} in; median ${micros(session.latency.p50_us)}, 99 % ${micros(session.latency.p99_us)}`],
  ["Silent for", age(session.silence_ms)],
  ["Actors", count(session.remote_actors)],
  ...Object.entries(session.drops).map(([reason, many]) => [`Dropped: ${reason}`, count(many)]),
];

const peerFacts = (peer) => [
  ["Sessions so far", `${peer.sessions}, ${peer.reconnects} reconnects`],
  ...(peer.last_down ? [["Last lost", `${peer.last_down}, ${new Date(peer.last_down_at_ms).toLocaleTimeString()}`]] : []),
];
