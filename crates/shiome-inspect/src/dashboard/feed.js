// Follows the node, and shows what it says.

const TABS = {
  members: ["Members", showMembers], sessions: ["Sessions", showSessions], actors: ["Actors", showActors],
  groups: ["Groups", () => groupPages.refresh()], timeline: ["Timeline", showTimeline], gossip: ["Gossip", showGossip], bus: ["Bus", showBus],
};
let open = "sessions";

for (const [name, [text]] of Object.entries(TABS)) {
  const tab = make("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}` }, text);
  tab.addEventListener("click", () => openTab(name));
  attribute($(`panel-${name}`), "aria-labelledby", tab.id);
  $("tabs").append(tab);
}
$("tabs").addEventListener("keydown", (event) => {
  const names = Object.keys(TABS);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  openTab(names[(names.indexOf(open) + step + names.length) % names.length]);
  $(`tab-${open}`).focus();
});

function openTab(name) {
  open = name;
  for (const other of Object.keys(TABS)) {
    attribute($(`tab-${other}`), "aria-selected", String(other === name));
    attribute($(`tab-${other}`), "tabindex", other === name ? "0" : "-1");
    $(`panel-${other}`).hidden = other !== name;
  }
  render();
}

let isAsked = false;
let isPaused = false;

/** Shows what is known, once a frame at most. */
function render() {
  if (isAsked || !model.snapshot) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    const began = performance.now();
    showTiles();
    drawGraph();
    showChosen();
    TABS[open][1]();
    performance.measure("shiome-render", { start: began });
    if (performance.getEntriesByName("shiome-render").length > 100) performance.clearMeasures("shiome-render");
  });
}

function status(text, state) {
  say($("status"), text);
  attribute($("status"), "class", `badge ${state}`);
  document.documentElement.classList.toggle("stale", state === "failed");
}

const source = new EventSource(`${BASE}v1/feed`);
source.addEventListener("event", ({ data }) => {
  takeEvent(JSON.parse(data));
  if (!isPaused) render();
});
source.addEventListener("snapshot", ({ data }) => {
  if (isPaused) return;
  takeSnapshot(JSON.parse(data));
  const { ready, node } = model.snapshot;
  status(node.stopping ? "stopping" : ready ? "ready" : "draining", ready ? "alive" : "suspect");
  render();
});
source.addEventListener("error", () => status("no connection, trying again", "failed"));

$("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  attribute($("pause"), "aria-pressed", String(isPaused));
  say($("pause"), isPaused ? "Go on" : "Pause");
  if (isPaused) status("paused", "suspect");
});

$("theme").addEventListener("click", () => {
  const { dataset } = document.documentElement;
  const isDark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = isDark ? "light" : "dark";
});

// What acts. The token is kept by its field alone, and gone with the page.
$("act").hidden = !acts;

async function act(path, body) {
  say($("acted"), "…");
  const headers = { "content-type": "application/json", authorization: `Bearer ${$("token").value}` };
  try {
    const response = await fetch(`${BASE}v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    const answer = await response.json();
    say($("acted"), response.ok ? done(answer) : answer.error);
  } catch (error) {
    say($("acted"), error.message);
  }
}

function done(answer) {
  if (answer.round_trip_us !== undefined) return `answered in ${micros(answer.round_trip_us)}`;
  return answer.reply_hex == null ? "sent" : `reply: ${answer.reply_hex || "empty"}`;
}

const target = () => (chosenNode() ?? model.nodes[0])?.name;
$("ping").addEventListener("click", () => act("ping", { node: target() }));
$("act").addEventListener("submit", (event) => {
  event.preventDefault();
  const value = (id) => $(id).value.trim();
  act("call", { node: target(), actor: value("actor"), variant: value("variant"), arguments_hex: value("arguments"), cast: $("cast").checked });
});

openTab(open);
