// What peers do, whatever carries it: programs that run in Node and in a page, and whose results are the same over every path.

import { BusError, Intent, MAX_DEPTH, Mesh } from "../shiome.js";

const sorted = (value) => {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
};

export function equal(actual, expected, what = "") {
  const [a, b] = [actual, expected].map((value) => JSON.stringify(sorted(value)));
  if (a !== b) throw new Error(`${what} ${a} is not ${b}`);
}

/** The code of the error that a call or promise ends with. */
export async function codeOf(act) {
  try {
    await (typeof act === "function" ? act() : act);
  } catch (error) {
    if (error instanceof BusError) return error.code;
    throw error;
  }
  return "no error";
}

/** Deliveries to a peer, to be waited for. */
export class Inbox {
  deliveries = [];
  #wake = () => {};

  constructor(peer, pattern) {
    this.subscription = peer.on(pattern, (delivery) => {
      this.deliveries.push(delivery);
      this.#wake();
    });
  }

  /** The payloads, once there are so many. */
  async payloads(count) {
    while (this.deliveries.length < count) await new Promise((wake) => (this.#wake = wake));
    return this.deliveries.map(({ payload }) => payload);
  }
}

/** Waits until a condition holds after one of the events that `listen` tells of. */
export function until(listen, holds) {
  return new Promise((resolve) => {
    const check = () => {
      if (!holds()) return;
      subscription?.cancel();
      resolve();
    };
    const subscription = listen(check);
    check();
  });
}

const gone = (peer, id) => until((check) => peer.onPeer(check), () => !peer.reachable(id));

/** All that `from` sent to `to` before has been handled. */
async function settled(from, to) {
  const subscription = to.on("test.settled", (asked) => asked.respond(true));
  await from.request(to.id, "test.settled");
  subscription.cancel();
}

const PAYLOADS = {
  text: "héllo \"you\" 🎈 \u0000 \u2028",
  object: { nested: { map: { deep: [1, [2, [3]]] } }, "": 0, __proto__x: 1 },
  array: [1, "two", null, true, { three: 3 }],
  numbers: [0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER, 5e-324],
  true: true,
  false: false,
  null: null,
  empty: [{}, [], ""],
};

/** Each gets a world, whose `peer` makes a peer that reaches all others of it, and gives a result. */
export const BEHAVIOURS = {
  async "B1 an intent keeps its name and payload"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const inbox = new Inbox(b, "kept.>");
    for (const [name, payload] of Object.entries(PAYLOADS)) await a.send("b", `kept.${name}`, payload);
    const payloads = await inbox.payloads(Object.keys(PAYLOADS).length);
    equal(payloads, Object.values(PAYLOADS));
    return inbox.deliveries.map(({ name, payload }) => [name, payload]);
  },

  async "B2 ids have letters, digits and some signs, and peers coexist"({ peer }) {
    const ids = ["a", "node-1", "n_2.x", "A~b@c"];
    const peers = [];
    for (const id of ids) peers.push(await peer(id));
    equal(peers.map(({ id }) => id), ids);
    for (const id of ["", "a b", "é", "a/b", "*", "x".repeat(129)]) equal(await codeOf(() => peer(id)), "InvalidName", id);
    return peers[0].peers().filter((id) => ids.includes(id));
  },

  async "B3 who is there is reachable, both ways, and others are not"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    return [a.reachable("b"), b.reachable("a"), a.reachable("nobody"), a.reachable("")];
  },

  async "B4 an intent goes to one, who knows of whom, and can be answered and passed on"({ peer }) {
    const [a, b, c] = [await peer("a"), await peer("b"), await peer("c")];
    const [atA, atC] = [new Inbox(a, "back"), new Inbox(c, "on")];
    b.on("there", async ({ from, payload }) => {
      await b.send(from, "back", payload + 1);
      await b.send("c", "on", payload + 2);
    });
    await a.send("b", "there", 1);
    const heard = [await atA.payloads(1), await atC.payloads(1)];
    equal(heard, [[2], [3]]);
    return [heard, atA.deliveries[0].from, atC.deliveries[0].from, atC.deliveries[0].to];
  },

  async "B5 sending to nobody is an error, and life goes on"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const inbox = new Inbox(b, "x");
    const codes = [await codeOf(a.send("nobody", "x", 1)), await codeOf(() => a.trySend("nobody", "x", 1))];
    codes.push(await codeOf(a.request("nobody", "x", 1)));
    equal(codes, ["NodeNotFound", "NodeNotFound", "NodeNotFound"]);
    await a.send("b", "x", 2);
    return [codes, await inbox.payloads(1)];
  },

  async "B6 what is no id, name or JSON is refused before it is sent"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const inbox = new Inbox(b, ">");
    const loop = {};
    loop.self = loop;
    let deep = 0;
    for (let depth = 0; depth <= MAX_DEPTH; depth += 1) deep = [deep];
    const codes = [];
    for (const to of [undefined, 7, "", "a b"]) codes.push(await codeOf(a.send(to, "x", 1)));
    for (const name of [undefined, 7, null]) codes.push(await codeOf(a.send("b", name, 1)));
    for (const payload of [loop, 1n, () => 1, "half \ud800", { "\udfff": 1 }, deep]) codes.push(await codeOf(a.send("b", "x", payload)));
    equal(codes, [...Array(7).fill("InvalidName"), ...Array(6).fill("Serialization")]);
    await a.send("b", "x", deep[0]);
    await a.send("b", "x", "not half: \\ud800");
    equal((await inbox.payloads(2)).length, 2);
    return codes;
  },

  async "B7 all handlers run, in the order of registration"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const trace = [];
    b.on("x", () => trace.push("first"));
    b.on("*", async () => {
      await null;
      trace.push("second");
    });
    b.onAny(() => trace.push("third"));
    await a.send("b", "x", 1, { level: "handled" });
    equal(trace, ["first", "second", "third"]);
    return trace;
  },

  async "B8 handlers get what their pattern matches, and nothing else"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const trace = [];
    for (const pattern of ["chat.message", "chat.*", "chat.>", "*.message", ">", "chat.*.seen", "chat"]) {
      b.on(pattern, ({ name }) => trace.push(`${pattern} ${name}`));
    }
    for (const name of ["chat.message", "chat.a.seen", "chat", "other"]) await a.send("b", name);
    await settled(a, b);
    return trace.filter((line) => !line.includes("settled"));
  },

  async "B9 off ends the handlers of a name, and only those"({ peer }) {
    const [a, b, c] = [await peer("a"), await peer("b"), await peer("c")];
    const trace = [];
    const registration = b.on("x", () => trace.push("b x"));
    b.on("x", () => trace.push("b x again"));
    b.on("y", () => trace.push("b y"));
    c.on("x", () => trace.push("c x"));
    equal([registration.active, b.off("x"), b.off("x"), registration.active, registration.cancel()], [true, 2, 0, false, false]);
    for (const [to, name] of [["b", "x"], ["b", "y"], ["c", "x"]]) await a.send(to, name);
    await settled(a, b);
    await settled(a, c);
    equal(trace.sort(), ["b y", "c x"]);
    return trace;
  },

  async "B10 once is once"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const trace = [];
    b.once("x", ({ payload }) => trace.push(`once ${payload}`));
    b.on("x", ({ payload }) => trace.push(payload));
    for (const n of [1, 2, 3]) await a.send("b", "x", n);
    await settled(a, b);
    equal(trace, ["once 1", 1, 2, 3]);
    return trace;
  },

  async "B11 a peer can send to itself"({ peer }) {
    const a = await peer("a");
    const inbox = new Inbox(a, "x");
    await a.send("a", "x", 1);
    return [await inbox.payloads(1), inbox.deliveries[0].from, inbox.deliveries[0].to];
  },

  async "B12 names and patterns that are none are refused, and reserved ones"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const inbox = new Inbox(b, ">");
    const names = ["", ".", "a.", ".a", "a..b", "a b", "a\u00a0b", "a\u0085b", "a\tb", "a.*", "a.>", "\ud800", "sys.x", "sys.ping", "x".repeat(256)];
    for (const name of names) equal(await codeOf(a.send("b", name)), "InvalidName", name);
    for (const pattern of ["", "a..b", "a*", ">.a", "a b", "x".repeat(256)]) equal(await codeOf(() => b.on(pattern, () => {})), "InvalidName", pattern);
    // No white space for Unicode, and for `\s` it is.
    await a.send("b", "a\ufeffb.é", 1);
    await inbox.payloads(1);
    return inbox.deliveries.map(({ name }) => name);
  },

  async "B13 long names work"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const inbox = new Inbox(b, ">");
    for (const name of ["n".repeat(98), "n".repeat(255), "é".repeat(127)]) await a.send("b", name);
    await inbox.payloads(3);
    return inbox.deliveries.map(({ name }) => name.length);
  },

  async "B14 many messages arrive, all and in order"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const inbox = new Inbox(b, "count");
    const [count, burst] = [10_000, 1000];
    for (let n = 0; n < count; n += 1) {
      const sent = a.send("b", "count", n, n % burst === burst - 1 ? { level: "handled" } : {});
      if (n % burst === burst - 1) await sent;
    }
    const payloads = await inbox.payloads(count);
    equal(payloads, Array.from({ length: count }, (_, n) => n));
    equal(b.bus.drops(), []);
    return payloads.length;
  },

  async "B15 handlers send from within"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const trace = [];
    const turns = 100;
    const play = (peer, other) => peer.on("ball", async ({ payload }) => {
      trace.push(`${peer.id}${payload}`);
      if (payload < turns) await peer.send(other, "ball", payload + 1);
      else await peer.send(other, "out");
    });
    play(a, "b");
    play(b, "a");
    const ends = Promise.race([new Inbox(a, "out").payloads(1), new Inbox(b, "out").payloads(1)]);
    await a.send("b", "ball", 1);
    await ends;
    equal(trace.length, turns);
    return trace;
  },

  async "B16 interceptors see, change and refuse what goes out and comes in"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const seen = [];
    const out = a.interceptOutbound(({ from, to, intent }) => {
      seen.push(`${from} ${to} ${intent.name}`);
      if (intent.name === "secret") return "not for others";
      return intent.name === "old" ? new Intent("new", intent.payload) : undefined;
    });
    b.interceptInbound(({ intent }) => (intent.name === "unwanted" ? "no" : undefined));
    const inbox = new Inbox(b, ">");
    const codes = [await codeOf(a.send("b", "secret"))];
    codes.push(await codeOf(a.send("b", "unwanted", 1, { level: "handled" })));
    await a.send("b", "old", 7, { level: "handled" });
    equal([out.cancel(), out.cancel()], [true, false]);
    await a.send("b", "last", 8, { level: "handled" });
    equal(codes, ["Refused", "Refused"]);
    equal(seen, ["a b secret", "a b unwanted", "a b old"]);
    return inbox.deliveries.map(({ name, payload }) => [name, payload]);
  },

  async "B17 a ping is answered by who is there, and by nobody else"({ peer }) {
    const [a, b, c] = [await peer("a"), await peer("b"), await peer("c")];
    equal((await a.ping("b")) >= 0, true);
    // A peer that is busy for ever answers no ping; that others say so does not help.
    let busy;
    const blocked = new Promise((free) => (busy = free));
    const begun = new Promise((begin) => b.once("block", () => {
      begin();
      return blocked;
    }));
    await a.send("b", "block");
    await begun;
    const late = codeOf(a.ping("b", 50));
    await c.send("a", "pong");
    equal(await late, "Timeout");
    busy();
    equal((await a.ping("b")) >= 0, true);
    return codeOf(a.ping("nobody"));
  },

  async "B18 who is closed is gone, and a later one of that name is another"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    await b.close();
    await b.close();
    await gone(a, "b");
    const codes = [await codeOf(a.send("b", "x")), await codeOf(b.send("a", "x")), await codeOf(() => b.on("x", () => {}))];
    equal(codes, ["NodeNotFound", "Closed", "Closed"]);
    const later = await peer("b");
    equal(later.incarnation > b.incarnation, true);
    const inbox = new Inbox(later, "x");
    await a.send("b", "x", 1);
    return [codes, await inbox.payloads(1), b.state];
  },

  async "B19 what handlers register and remove counts from the next delivery on"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const trace = [];
    b.on("x", ({ payload }) => {
      trace.push(`first ${payload}`);
      if (payload !== 1) return;
      second.cancel();
      b.on("x", ({ payload: n }) => trace.push(`third ${n}`));
    });
    const second = b.on("x", ({ payload }) => trace.push(`second ${payload}`));
    for (const n of [1, 2]) await a.send("b", "x", n);
    await settled(a, b);
    equal(trace, ["first 1", "second 1", "first 2", "third 2"]);
    return trace;
  },

  async "levels tell how far a message has come"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    b.onError(() => {});
    b.on("fine", () => {});
    b.on("fails", () => {
      throw new Error("for a reason");
    });
    b.on("fails.later", async () => {
      await null;
      throw new Error("later");
    });
    const sent = async (name, level) => codeOf(a.send("b", name, 1, { level }));
    const codes = [];
    for (const level of ["accepted", "received", "handled"]) {
      codes.push(await sent("fine", level), await sent("fails", level), await sent("fails.later", level), await sent("none", level));
    }
    equal(codes.slice(0, 8), Array(8).fill("no error"));
    equal(codes.slice(8), ["no error", "HandlerFailed", "HandlerFailed", "NoHandler"]);
    return codes;
  },

  async "requests are answered, each by its own answer"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    b.on("double", (asked) => asked.respond(asked.payload * 2));
    b.on("rename", (asked) => b.respond(asked, "renamed", { by: b.id }));
    const answers = await Promise.all([1, 2, 3].map((n) => a.request("b", "double", n)));
    equal(answers.map(({ payload }) => payload), [2, 4, 6]);
    const renamed = await a.request("b", "rename");
    b.onError(() => {});
    b.on("fails", () => {
      throw new Error("no answer");
    });
    b.on("silent", () => {});
    const codes = [await codeOf(a.request("b", "none")), await codeOf(a.request("b", "fails"))];
    codes.push(await codeOf(a.request("b", "silent", 1, { timeoutMs: 30 })));
    equal(codes, ["NoHandler", "HandlerFailed", "Timeout"]);
    return [answers.map(({ name, from }) => [name, from]), renamed.name, renamed.payload, codes];
  },

  async "a request can be given up"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const asked = new Promise((heard) => b.on("silent", heard));
    const controller = new AbortController();
    const request = a.request("b", "silent", 1, { signal: controller.signal });
    await asked;
    controller.abort(new Error("no longer"));
    const message = await request.catch((error) => error.message);
    equal([message, a.stats.pending], ["no longer", 0]);
    return message;
  },

  async "who waits for a peer that closes is told at once"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const asked = new Promise((heard) => b.on("silent", heard));
    const waits = codeOf(a.request("b", "silent", 1, { timeoutMs: 60_000 }));
    await asked;
    await b.close();
    return waits;
  },

  async "a peer that closes works off what it has"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const trace = [];
    let release;
    const held = new Promise((free) => (release = free));
    const begun = new Promise((begin) => b.on("x", async ({ payload }) => {
      if (payload === 0) begin();
      await held;
      trace.push(payload);
    }));
    for (const n of [0, 1, 2]) await a.send("b", "x", n, { level: "received" });
    await begun;
    const closed = b.close();
    const late = codeOf(() => b.trySend("a", "x"));
    release();
    await closed;
    equal([trace, await late, b.bus.drops()], [[0, 1, 2], "Closed", []]);
    return trace;
  },

  async "a peer that cannot work off what it has says so"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const begun = new Promise((begin) => b.on("x", () => {
      begin();
      return new Promise(() => {});
    }));
    await a.send("b", "x", 1);
    await begun;
    const waits = codeOf(a.send("b", "x", 2, { level: "handled" }));
    // It is behind the other, which is there before the time begins.
    await a.send("b", "x", 3, { level: "received" });
    equal(await codeOf(b.close(30)), "Timeout");
    return [await waits, b.bus.dropped("closed")];
  },

  async "a handler may close its peer"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const closed = new Promise((done) => b.on("end", async () => done(await b.close())));
    await a.send("b", "end");
    await closed;
    await gone(a, "b");
    return codeOf(a.send("b", "x"));
  },

  async "what is only reflected dies out"({ peer }) {
    const peers = [await peer("a"), await peer("b"), await peer("c")];
    let handled = 0;
    for (const one of peers) {
      one.on("echo", async ({ intent }) => {
        handled += 1;
        for (const other of peers) if (other !== one) await codeOf(one.send(other.id, intent));
      });
    }
    await peers[0].send("b", "echo");
    for (let before = -1; before !== handled; ) {
      before = handled;
      for (let round = 0; round < 2; round += 1) {
        for (const one of peers) for (const other of peers) await settled(one, other);
      }
    }
    // At most one turn for each hop that there may be, to two others each.
    equal(handled > 2 && handled < 2 ** 9, true, handled);
    return true;
  },

  async "payloads belong to who made them, and do not change"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const inbox = new Inbox(b, "x");
    const payload = { list: [1] };
    const intent = new Intent("x", payload);
    payload.list.push(2);
    await a.send("b", intent);
    await a.send("b", intent);
    const [first, second] = await inbox.payloads(2);
    equal([first, second], [{ list: [1] }, { list: [1] }]);
    equal(Object.isFrozen(first) && Object.isFrozen(first.list) && Object.isFrozen(intent.payload), true);
    return [first, second];
  },

  async "payloads over the limit are refused"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const inbox = new Inbox(b, "x");
    const code = await codeOf(a.send("b", "x", "x".repeat(1024 * 1024)));
    await a.send("b", "x", "é".repeat(300_000));
    const [text] = await inbox.payloads(1);
    return [code, text.length];
  },

  async "options that are none are refused, and not ignored"({ peer }) {
    const a = await peer("a");
    const refused = async (options) => {
      const error = await a.send("a", "x", 1, options).catch((refusal) => refusal);
      return error instanceof TypeError;
    };
    const wrong = [{ level: "twice" }, { timeout: 1 }, { timeoutMs: "soon" }, { priority: "system" }, { route: "scenic" }, null];
    for (const options of wrong) equal(await refused(options), true, JSON.stringify(options));
    return true;
  },

  async "what is sent as bulk waits behind the rest"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const trace = [];
    let release;
    const held = new Promise((free) => (release = free));
    const begun = new Promise((begin) => b.once("hold", () => {
      begin();
      return held;
    }));
    b.on("x", ({ payload }) => trace.push(payload));
    await a.send("b", "hold");
    await begun;
    await a.send("b", "x", "bulk", { priority: "bulk", level: "received" });
    await a.send("b", "x", "normal", { level: "received" });
    release();
    await a.send("b", "x", "last", { priority: "bulk", level: "handled" });
    equal(trace, ["normal", "bulk", "last"]);
    return trace;
  },

  async "who wants only one way gets that or an error"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    b.on("x", () => {});
    const codes = [await codeOf(a.send("b", "x", 1, { route: "local" })), await codeOf(a.send("b", "x", 1, { route: "remote" }))];
    equal(codes.sort(), ["NodeNotFound", "no error"]);
    return codes.length;
  },

  async "names are taken once"({ peer }) {
    const a = await peer("a");
    // It does not wait for the name.
    return [a.id, await codeOf(() => peer("a", { giveUpMs: 0 }))];
  },

  async "drops are told, with their reason"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const told = [];
    b.onDrop(({ reason, from, name }) => told.push([reason, from, name]));
    await a.send("b", "unheard", 1);
    await settled(a, b);
    equal(told, [["no_handler", "a", "unheard"]]);
    equal(b.bus.drops().length, 1);
    return told;
  },

  async "members of a room see each other, and hear what is said once"({ peer }) {
    const peers = [await peer("a"), await peer("b"), await peer("c")];
    const rooms = peers.map((one) => Mesh.join(one, "den"));
    await Promise.all(rooms.flatMap((room) => peers.filter((one) => one !== room.peer).map(({ id }) => room.waitFor(id))));
    const heard = rooms.map(() => []);
    rooms.forEach((room, at) => room.on(">", (payload, from) => heard[at].push([from, payload])));
    const report = await rooms[0].send("note", { n: 1 });
    await rooms[0].sendText("hello");
    for (const other of peers.slice(1)) await settled(peers[0], other);
    equal(heard, [[], [["a", { n: 1 }], ["a", "hello"]], [["a", { n: 1 }], ["a", "hello"]]]);
    return [report.members.map(({ id }) => id), report.accepted, heard];
  },

  async "a late listener gets those who are there first, and then who comes and goes"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const room = Mesh.join(a, "den");
    const others = Mesh.join(b, "den");
    await room.waitFor("b");
    const trace = [];
    room.onJoin(({ id, incarnation }) => trace.push(["join", id, incarnation > 0]));
    room.onLeave(({ id }, reason) => trace.push(["leave", id, reason]));
    equal(trace, [["join", "b", true]]);
    const c = await peer("c");
    Mesh.join(c, "den");
    await room.waitFor("c");
    others.leave();
    await until((check) => room.onLeave(check), () => trace.length === 3);
    await c.close();
    await until((check) => room.onLeave(check), () => trace.length === 4);
    equal(room.members(), []);
    return trace;
  },

  async "rooms are apart, and answers to answers end"({ peer }) {
    const [a, b] = [await peer("a"), await peer("b")];
    const rooms = [Mesh.join(a, "one"), Mesh.join(b, "one"), Mesh.join(b, "two")];
    await rooms[0].waitFor("b");
    await rooms[1].waitFor("a");
    const [said, codes] = [[], []];
    rooms[2].on(">", () => said.push("in the other room"));
    for (const room of rooms.slice(0, 2)) {
      room.on("echo", (payload) => {
        said.push(payload);
        return codeOf(room.send("echo", payload + 1)).then((code) => codes.push(code));
      });
    }
    await rooms[0].send("echo", 0);
    while (!codes.includes("TooManyHops")) {
      await settled(a, b);
      await settled(b, a);
    }
    equal(said, [0, 1, 2]);
    // A handler that has waited for something still answers.
    rooms.slice(0, 2).forEach((room) => room.on("late", async (payload) => {
      await Promise.resolve();
      said.push(payload);
      codes.push(await codeOf(room.send("late", payload + 1)));
    }));
    const before = codes.length;
    await rooms[0].send("late", 10);
    while (codes.length < before + 3) {
      await settled(a, b);
      await settled(b, a);
    }
    equal([said.slice(3), codes.at(-1)], [[10, 11, 12], "TooManyHops"]);
    equal(await codeOf(rooms[0].send("note", "of its own accord")), "no error");
    equal(await codeOf(() => Mesh.join(a, "one")), "Refused");
    for (const name of ["", "a b", "x".repeat(129), undefined]) equal(await codeOf(() => Mesh.join(a, name)), "InvalidName");
    return [said, codes];
  },
};
