// A page that is a peer: it is in the room "lobby" with other pages, and with a peer in Rust.

import { Rtc } from "./rtc.js";
import { Mesh, Peer } from "./shiome.js";

const ROOM = "lobby";
const RUST = "ferris";

const $ = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A hue of its own for each name. */
function hueOf(name) {
  let hash = 7;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 360;
  return hash;
}

function badge(name) {
  const made = element("span", "badge", name[0].toUpperCase());
  made.style.setProperty("--hue", hueOf(name));
  made.ariaHidden = "true";
  return made;
}

// What was said last, so that one who goes on is not named again.
let lastFrom;

function show(item) {
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.append(item);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function note(text) {
  lastFrom = undefined;
  show(element("li", "note", text));
}

/** A message; gives the place for what became of it. */
function message(from, text, kind) {
  const item = element("li", `message ${kind}`);
  item.style.setProperty("--hue", hueOf(from));
  if (from !== lastFrom || kind === "whisper") {
    const head = element("p", "from", kind === "own" ? "You" : from);
    if (from === RUST) head.append(element("span", "tag", "Rust"));
    if (kind === "whisper") head.append(element("span", "tag", "only to you"));
    item.append(head);
  }
  lastFrom = kind === "whisper" ? undefined : from;
  const fate = element("small", "fate");
  item.append(element("p", "text", text), fate);
  show(item);
  return fate;
}

/** Who is there, and how it is reached: over a data channel, or through the relay, and then why. */
function showMembers(peer, room, rtc) {
  const entry = (name, ...tags) => {
    const item = element("li", "");
    item.append(badge(name), element("span", "who", name), ...tags);
    return item;
  };
  const others = room.members().map(({ id }) => {
    const { path, reason } = rtc.path(id) ?? {};
    const isDirect = path === "direct";
    const way = element("span", `tag ${isDirect ? "direct" : ""}`, isDirect ? "direct" : "relayed");
    if (reason) way.title = reason;
    return entry(id, ...(id === RUST ? [element("span", "tag", "Rust")] : []), way);
  });
  $("members").replaceChildren(entry(peer.id, element("span", "tag", "you")), ...others);
}

const STATES = { connecting: "connecting …", up: "connected", closing: "leaving …", closed: "not connected" };

function showState({ state, error, retryInMs }) {
  const again = retryInMs === undefined ? "" : `, again in ${Math.ceil(retryInMs / 1000)} s`;
  $("state").textContent = error ? `${STATES[state]} (${error.message}${again})` : STATES[state];
  $("state").dataset.state = state;
}

function converse(peer) {
  const rtc = new Rtc(peer, { admit: () => true });
  const room = Mesh.join(peer, ROOM);
  const showAll = () => showMembers(peer, room, rtc);
  rtc.onPath(showAll);
  room.onJoin(({ id }) => {
    note(`${id} is here`);
    rtc.connect(id);
    showAll();
  });
  room.onLeave(({ id }, reason) => {
    if (reason !== "replaced") {
      note(`${id} has left`);
      rtc.disconnect(id);
    }
    showAll();
  });
  room.on("message", (text, from) => void message(from, String(text), "other"));
  peer.on("whisper", ({ from, payload }) => void message(from, String(payload), "whisper"));
  showAll();

  $("say").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (!text) return;
    $("say").reset();
    const fate = message(peer.id, text, "own");
    try {
      const { members, accepted } = await room.sendText(text);
      fate.textContent = members.length === 0 ? "nobody is here" : `to ${accepted} of ${members.length}`;
    } catch (error) {
      fate.textContent = error.message;
    }
  });
}

/** What was said before. */
async function recall(peer) {
  await peer.waitFor(RUST);
  const { payload } = await peer.request(RUST, "history");
  for (const { from, text } of payload) message(from, text, from === peer.id ? "own" : "other");
}

async function enter(name) {
  const peer = new Peer(name, { url: "/bus" });
  peer.onState(showState);
  showState(peer);
  try {
    await peer.connected();
    sessionStorage.setItem("name", name);
  } catch (error) {
    await peer.close(0);
    $("problem").textContent = error.code === "NameTaken" ? `${name} is here already. Take another name.` : error.message;
    return;
  }
  $("entrance").hidden = true;
  $("chat").hidden = false;
  $("text").focus();
  await recall(peer).catch((error) => note(error.message));
  converse(peer);
}

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $("enter").querySelector("button");
  [button.disabled, $("problem").textContent] = [true, ""];
  await enter($("name").value);
  button.disabled = false;
});

// A page that is loaded again goes on under its name.
const name = sessionStorage.getItem("name");
if (name) {
  $("name").value = name;
  $("enter").requestSubmit();
}
