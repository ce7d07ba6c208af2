// What is known of the cluster: the last snapshot, and what has happened.

const MAX_EVENTS = 512;
const MAX_GONE = 200;

const model = {
  snapshot: null,
  events: [],
  /** Members that have gone, by address: none of them is in a snapshot. */
  gone: new Map(),
  /** What has passed over each connection until the last snapshot but one. */
  before: new Map(),
  rates: new Map(),
  total: {},
  nodes: [],
  chosen: null,
};

function takeEvent(event) {
  // Numbers that begin anew are of another run of the node.
  if (model.events.length && event.number <= model.events[0].number) {
    model.events = [];
    model.gone.clear();
  }
  model.events.unshift(event);
  model.events.length = Math.min(model.events.length, MAX_EVENTS);
  if (event.kind === "member_down" && event.detail !== "replaced") {
    model.gone.delete(event.address);
    model.gone.set(event.address, { address: event.address, name: event.node, why: event.detail, at: event.at_ms });
    if (model.gone.size > MAX_GONE) model.gone.delete(model.gone.keys().next().value);
  } else if (event.kind === "member_up") {
    model.gone.delete(event.address);
  }
}

function takeSnapshot(snapshot) {
  const seconds = model.snapshot ? (snapshot.at_ms - model.snapshot.at_ms) / 1000 : 0;
  const isSame = model.snapshot?.node.incarnation === snapshot.node.incarnation;
  if (seconds > 0 || !isSame) measure(snapshot, isSame ? seconds : 0);
  model.snapshot = snapshot;
  model.nodes = nodesOf(snapshot);
}

function measure(snapshot, seconds) {
  const before = model.before;
  model.before = new Map();
  model.rates = new Map();
  const total = { in: 0, out: 0, calls: 0 };
  for (const session of snapshot.sessions) {
    const now = { in: session.bytes_in, out: session.bytes_out, calls: sum(session.calls_ended) };
    const then = before.get(session.node_id);
    model.before.set(session.node_id, now);
    if (!then || seconds <= 0) continue;
    const passed = {};
    for (const key of Object.keys(now)) {
      passed[key] = Math.max(0, now[key] - then[key]) / seconds;
      total[key] += passed[key];
    }
    model.rates.set(session.node_id, passed);
  }
  model.total = seconds > 0 ? total : {};
}

/** Everybody that there is or was, this node first. */
function nodesOf({ node, sessions, members, peers }) {
  const byId = new Map(sessions.map((session) => [session.node_id, session]));
  const byName = new Map();
  for (const session of sessions) {
    if (session.peer && byName.get(session.peer)?.state !== "ready") byName.set(session.peer, session);
  }
  const nodes = new Map();
  const add = (entry) => nodes.has(entry.key) || nodes.set(entry.key, entry);
  const own = members.find((member) => member.own);
  add({ key: node.name, name: node.name, state: "own", word: "this node", address: own?.address ?? node.listening[0], member: own });
  for (const member of members) {
    if (member.own) continue;
    const session = byId.get(member.node_id) ?? byName.get(member.name);
    const name = member.name ?? session?.peer ?? "";
    add({ key: name || member.address, name: name || member.address, address: member.address, member, session, ...stateOf(member, session) });
  }
  for (const session of sessions) {
    const name = session.peer || session.address;
    add({ key: name, name, address: session.address, session, ...stateOf(null, session) });
  }
  for (const gone of model.gone.values()) {
    const name = gone.name ?? gone.address;
    const left = gone.why === "left";
    add({ key: name, name, address: gone.address, gone, state: left ? "left" : "failed", word: gone.why ?? "gone" });
  }
  for (const peer of peers) {
    if (!peer.connected) add({ key: peer.name, name: peer.name, address: "", state: "lost", word: "lost", peer });
  }
  const all = [...nodes.values()];
  const named = new Map(peers.map((peer) => [peer.name, peer]));
  for (const entry of all) entry.peer = named.get(entry.name);
  return [all[0], ...all.slice(1).sort((one, other) => compare(one.name, other.name))];
}

function stateOf(member, session) {
  if (member && member.state !== "alive") return { state: member.state === "dead" ? "failed" : member.state, word: member.state };
  if (session?.state === "ready") return { state: "alive", word: "alive" };
  if (session) return { state: "connecting", word: session.state };
  return { state: "idle", word: "alive, no session" };
}

const chosenNode = () => model.nodes.find((entry) => entry.key === model.chosen);
