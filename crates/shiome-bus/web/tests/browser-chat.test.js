// The chat of `cargo run -p shiome --example web-chat`: two pages and a peer in Rust.
//
// With SHIOME_SCREENSHOT set to a file, a picture of it is written there.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { CHROMIUM, Chromium } from "./chromium.js";

const CHAT = process.env.SHIOME_WEB_CHAT;
const PICTURE = process.env.SHIOME_SCREENSHOT;
const skip = CHROMIUM && CHAT ? false : "SHIOME_CHROMIUM and SHIOME_WEB_CHAT name no programs";

const DESKTOP = { width: 900, height: 720 };
const PHONE = { width: 360, height: 720 };

async function chat(t) {
  const child = spawn(CHAT, ["127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill());
  const [url] = await once(createInterface({ input: child.stdout }), "line");
  return url;
}

const enters = (name) => `(() => {
  document.getElementById("name").value = ${JSON.stringify(name)};
  document.getElementById("enter").requestSubmit();
})()`;

const says = (text) => `(() => {
  document.getElementById("text").value = ${JSON.stringify(text)};
  document.getElementById("say").requestSubmit();
})()`;

/** Waits until an expression holds in a page, looking after each change of it. */
const sees = (tab, expression) => tab.evaluate(`new Promise((seen) => {
  const look = () => (${expression}) && (observer.disconnect(), seen());
  const observer = new MutationObserver(look);
  observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  look();
})`);

const holds = (tab, text) => sees(tab, `document.getElementById("log").textContent.includes(${JSON.stringify(text)})`);
const members = (tab, count) => sees(tab, `document.getElementById("members").children.length === ${count}`);

async function stage(t) {
  const url = await chat(t);
  const browser = await Chromium.launch();
  t.after(() => browser.close());
  return { url, browser };
}

test("two pages and a peer in Rust talk to each other", { skip }, async (t) => {
  const { url, browser } = await stage(t);
  const [alice, bob] = [await browser.open(url, DESKTOP), await browser.open(url, PHONE)];
  await alice.evaluate(enters("alice"));
  await holds(alice, "Welcome, alice!");
  await alice.evaluate(says("Is anybody here?"));
  await holds(alice, "to 1 of 1");
  await bob.evaluate(enters("bob"));
  await holds(bob, "Is anybody here?");
  await Promise.all([members(alice, 3), members(bob, 3)]);
  // Each reaches the two others directly.
  const direct = (tab) => sees(tab, `document.querySelectorAll("#members .direct").length === 2`);
  await Promise.all([direct(alice), direct(bob)]);
  await bob.evaluate(says("I am, on a phone. Hello alice!"));
  await holds(alice, "on a phone");
  await alice.evaluate(says("Hi bob. And what does ferris say?"));
  await Promise.all([holds(alice, "I hear you, alice"), holds(bob, "I hear you, alice")]);
  await bob.evaluate(says("Not bad for one send and one on."));
  await Promise.all([holds(alice, "Not bad"), holds(bob, "to 2 of 2")]);
  const fits = (tab) => tab.evaluate("document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight");
  assert.deepEqual([await fits(alice), await fits(bob)], [true, true], "nothing sticks out");
  assert.equal(await bob.evaluate(`document.getElementById("members").textContent.includes("alice")`), true);
  if (PICTURE) await writeFile(PICTURE, await picture(browser, alice, bob));

  await alice.reload();
  await holds(alice, "Hi bob");
  await members(alice, 3);
  await bob.close();
  await holds(alice, "bob has left");
  await members(alice, 2);
});

test("a name that is taken can be changed, and text is no markup", { skip }, async (t) => {
  const { url, browser } = await stage(t);
  const [first, second] = [await browser.open(url, DESKTOP), await browser.open(url, DESKTOP)];
  await first.evaluate(enters("alice"));
  await holds(first, "Welcome");
  await second.evaluate(enters("ferris"));
  await sees(second, `document.getElementById("problem").textContent.includes("Take another name")`);
  await sees(second, `!document.querySelector("#enter button").disabled`);
  await second.evaluate(enters("carol"));
  await holds(second, "Welcome, carol!");
  await members(second, 3);
  await second.evaluate(says("<b onclick=alert(1)>bold</b>"));
  await holds(first, "<b onclick=alert(1)>bold</b>");
  assert.equal(await first.evaluate(`document.querySelectorAll("#log b").length`), 0);
});

/** Both pages side by side. */
async function picture(browser, alice, bob) {
  const [desktop, phone] = await Promise.all([alice, bob].map(async (tab) => {
    await tab.evaluate("document.getAnimations().forEach((animation) => animation.finish())");
    return (await tab.screenshot()).toString("base64");
  }));
  const image = (data, { width, height }) => `<img src="data:image/png;base64,${data}" width="${width}" height="${height}">`;
  const page = `<!doctype html><style>
    body { margin: 0; display: flex; gap: 32px; align-items: center; justify-content: center; height: 100vh; background: #dfe9e7 }
    img { border-radius: 14px; border: 1px solid #b9c9c6 }
    img + img { border: 6px solid #12211f; border-radius: 26px }
  </style>${image(desktop, DESKTOP)}${image(phone, PHONE)}`;
  const tab = await browser.open("about:blank", { width: DESKTOP.width + PHONE.width + 110, height: PHONE.height + 70 });
  await tab.evaluate(`(async () => {
    document.documentElement.innerHTML = ${JSON.stringify(page)};
    await Promise.all([...document.images].map((image) => image.decode()));
  })()`);
  const png = await tab.screenshot();
  await tab.close();
  return png;
}
