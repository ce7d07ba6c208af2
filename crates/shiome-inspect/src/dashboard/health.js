// The node in numbers, what has happened, gossip, the bus.

function showTiles() {
  const { node, sessions, members, gossip, peers, bus, refused } = model.snapshot;
  const ready = sessions.filter((session) => session.state === "ready").length;
  const { total } = model;
  tiles([
    ["Members up", gossip ? members.length : NONE],
    ["Sessions", ready],
    ["Actors", node.actors],
    ["In", rate(total.in)],
    ["Out", rate(total.out)],
    ["Calls ended", total.calls === undefined ? NONE : `${count(Math.round(total.calls))}/s`],
    ["Waits", bytes(sessions.reduce((all, one) => all + one.queued_bytes, 0))],
    ["Dropped", count(peers.reduce((all, peer) => all + sum(peer.drops), 0))],
    ["Requests refused", count(sum(refused))],
    ...(bus ? [["Bus peers", bus.peers]] : []),
  ]);
  say($("name"), node.name);
  document.title = `${node.name} · shiome`;
  say($("about"), `version ${node.version}, up ${age(node.uptime_ms)}, process ${node.process}`);
}

function tiles(entries) {
  const list = $("tiles");
  while (list.children.length > entries.length) list.lastChild.remove();
  entries.forEach(([term, text], at) => {
    const tile = list.children[at] ?? list.appendChild(make("div", {}, make("dt"), make("dd")));
    attribute(tile, "data-tile", term);
    say(tile.firstChild, term);
    say(tile.lastChild, String(text));
  });
}

const EVENT_STATES = {
  ready: "alive", member_up: "alive", member_recovered: "alive", member_suspected: "suspect", reconnecting: "suspect",
  unsent: "suspect", down: "failed", member_down: "failed", gave_up: "failed", conflict: "failed",
};
/** What an operator looks for first. */
const MEMBERSHIP = "Membership only";
const timeline = { list: make("ol", { tabindex: "0", "aria-label": "What has happened, the last first" }), shown: 0, only: false };
{
  const only = make("input", { type: "checkbox" });
  only.addEventListener("change", () => {
    [timeline.only, timeline.shown] = [only.checked, 0];
    showTimeline();
  });
  $("panel-timeline").append(make("div", { class: "tools" }, make("label", {}, only, ` ${MEMBERSHIP}`)), timeline.list);
}

/** Adds what is new; begins anew after a new run of the node. */
function showTimeline() {
  const last = model.events[0]?.number ?? 0;
  if (last === timeline.shown) return;
  if (last < timeline.shown || timeline.shown === 0) timeline.list.replaceChildren();
  const isNew = (event) => (last < timeline.shown || event.number > timeline.shown) && (!timeline.only || /^member_|^conflict$/.test(event.kind));
  timeline.list.prepend(...model.events.filter(isNew).map(eventLine));
  while (timeline.list.children.length > MAX_EVENTS) timeline.list.lastChild.remove();
  timeline.shown = last;
}

function eventLine(event) {
  const at = new Date(event.at_ms);
  const who = event.node ?? event.address ?? "";
  return make("li", { "data-kind": event.kind },
    make("time", { datetime: at.toISOString() }, at.toLocaleTimeString()),
    make("b", { class: EVENT_STATES[event.kind] ?? "idle" }, event.kind.replaceAll("_", " ")),
    ` ${[who, event.detail].filter(Boolean).join(": ")}`);
}

const gossipFacts = $("panel-gossip").appendChild(make("dl", { class: "facts" }));

function showGossip() {
  const { gossip } = model.snapshot;
  if (!gossip) return facts(gossipFacts, [["Gossip", "the node does not gossip"]]);
  facts(gossipFacts, [
    ["Cluster", gossip.cluster || NONE],
    ["Health", gossip.local_health === 0 ? "well" : `trusts itself less, by ${gossip.local_health}`],
    ["Other members", `${gossip.members} up, ${gossip.suspects} of them suspected`],
    ["News to tell on", gossip.backlog],
    ["Reached at", gossip.address],
    ["Id, incarnation", `${gossip.id}, ${gossip.incarnation}`],
    ["Encrypted", gossip.encrypted ? "yes" : "no"],
    ...Object.entries(gossip.counts).map(([name, many]) => [name.replaceAll("_", " "), count(many)]),
  ]);
}

const busPanel = { facts: make("dl", { class: "facts" }), names: make("p") };
$("panel-bus").append(busPanel.facts, make("h3", {}, "Peers"), busPanel.names);
busPanel.links = new Table($("panel-bus"), "Links", ["Kind", "State", "Sent", "Received", "Errors", "Waits"]);
busPanel.dead = new Table($("panel-bus"), "Dead letters, the last first", ["When", "Reason", "From", "To", "Intent"]);

function showBus() {
  const { bus } = model.snapshot;
  if (!bus) return facts(busPanel.facts, [["Bus", "the node has none"]]);
  facts(busPanel.facts, [
    ["Peers", bus.peers], ["Handlers", bus.handlers], ["Routed", count(bus.routed)], ["Not routed", count(bus.routing_errors)],
    ["Delivered", count(bus.delivered)], ["Handler calls", count(bus.handler_calls)],
    ["Failed", `${count(bus.handler_errors)} errors, ${count(bus.handler_panics)} panics`], ["Waits", count(bus.queued)],
    ...Object.entries(bus.drops).map(([reason, many]) => [`Dropped: ${reason}`, count(many)]),
  ]);
  say(busPanel.names, bus.names.join(", ") || "nobody");
  busPanel.links.show(bus.links.map((link) => [
    link.kind, { text: link.ready ? "up" : "down", state: link.ready ? "alive" : "failed" },
    count(link.sent), count(link.received), count(link.errors), count(link.queued),
  ]));
  busPanel.dead.show(bus.dead_letters.toReversed().map((letter) => [
    new Date(letter.at_ms).toLocaleTimeString(), letter.reason, letter.from, letter.to, letter.intent,
  ]));
}
