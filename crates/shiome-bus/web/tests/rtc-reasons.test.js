// Why there is no direct connection, as it is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, tasks } from "./fake.js";
import { Stage } from "./fake-rtc.js";

const ours = { candidate: { candidate: "candidate:1 1 udp 2113937151 192.0.2.1 1000 typ host" } };
const theirs = "candidate:1 1 udp 2113937151 192.0.2.9 5000 typ host";

/** Alice calls; what comes of it, and when. */
async function reason(t, play, options = {}) {
  const clock = new Clock(t);
  const stage = await Stage.open(t, options);
  stage.rtc.connect("bob");
  await play(stage, clock);
  await clock.advance(15_000);
  await tasks();
  return stage.told.find(({ path }) => path === "relayed")?.reason;
}

async function answered(stage) {
  await stage.answer();
  stage.describe("sys.rtc.answer");
  await tasks();
}

async function tried(stage) {
  await answered(stage);
  stage.connection.onicecandidate(ours);
  stage.say("sys.rtc.candidate", { session: stage.session, candidate: theirs });
  await tasks();
}

function fails({ connection }) {
  connection.iceConnectionState = "failed";
  connection.oniceconnectionstatechange();
}

test("an offer that is not answered", async (t) => {
  assert.equal(await reason(t, (stage) => stage.answer()), "no-answer");
});

test("a peer that tells no address", async (t) => {
  assert.equal(await reason(t, answered), "no-candidates");
});

test("checks that fail", async (t) => {
  const play = async (stage) => {
    await tried(stage);
    fails(stage);
  };
  assert.equal(await reason(t, play), "checks-failed");
});

test("a channel that does not open", async (t) => {
  const play = async (stage) => {
    await tried(stage);
    stage.connection.iceConnectionState = "connected";
    stage.connection.oniceconnectionstatechange();
  };
  assert.equal(await reason(t, play), "timeout");
});

test("a TURN server that refuses, and one that is silent", async (t) => {
  for (const [errorCode, expected] of [[401, "turn-refused"], [701, "turn-unreachable"]]) {
    await t.test(expected, async (t) => {
      const play = async (stage) => {
        await tried(stage);
        stage.connection.onicecandidateerror({ errorCode, url: "turn:192.0.2.5:3478" });
        fails(stage);
      };
      assert.equal(await reason(t, play), expected);
    });
  }
});

test("a STUN server that is silent is no TURN server", async (t) => {
  const play = async (stage) => {
    await tried(stage);
    // Browsers say so for each interface that does not lead there.
    stage.connection.onicecandidateerror({ errorCode: 701, url: "stun:192.0.2.5:3478" });
    fails(stage);
  };
  assert.equal(await reason(t, play), "checks-failed");
});

test("servers that a browser does not take are an error of who gives them, and leave nothing", async (t) => {
  const stage = await Stage.open(t, {
    RTCPeerConnection: class {
      constructor() {
        throw new SyntaxError("no such server");
      }
    },
  });
  assert.throws(() => stage.rtc.connect("bob"), { name: "SyntaxError" });
  assert.equal(stage.rtc.paths().size, 0);
});

test("as many peers as there may be, and no more; who is only kept makes room", async (t) => {
  const clock = new Clock(t);
  const stage = await Stage.open(t, { maxConnections: 1 });
  stage.rtc.connect("bob");
  await clock.advance(20);
  stage.rtc.disconnect("bob");
  await tasks();
  stage.rtc.connect("carol");
  await tasks();
  assert.notEqual(stage.told.at(-1).reason, "limit");
});
