// The types name what the module has, and nothing else.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as rtc from "../rtc.js";
import * as shiome from "../shiome.js";

const textOf = (file) => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
const text = textOf("shiome.d.ts");

/** For tests and the other files, and what only the module itself makes. */
const UNTYPED = ["wire", "parts", "Delivery", "Subscription"];

/** Names of the members of a class in the types. */
function typed(name, text) {
  const [, body] = new RegExp(`^export class ${name}\\b[^{]*\\{$([^]*?)^\\}$`, "m").exec(text);
  const members = [...body.matchAll(/^ {2}(?:static )?(?:readonly )?([a-zA-Z]+)(?=[<(?:])/gm)].map((found) => found[1]);
  return new Set(members.filter((member) => member !== "constructor"));
}

/** Names of the public methods and accessors of a class. */
function methods(value) {
  const own = (object) => Object.getOwnPropertyNames(object).filter((name) => typeof object !== "function" || typeof object[name] === "function");
  const names = [...own(value.prototype), ...own(value)];
  return new Set(names.filter((name) => !["constructor", "toString", "prototype"].includes(name)));
}

test("all that the module exports has a type", () => {
  const declared = [...text.matchAll(/^export (?:const|class) (\w+)/gm)].map((found) => found[1]);
  const exported = Object.keys(shiome).filter((name) => !UNTYPED.includes(name));
  assert.deepEqual(declared.sort(), exported.sort());
});

for (const name of ["Bus", "Peer", "Mesh", "Intent"]) {
  test(`the methods of ${name} have types`, () => {
    const [declared, there] = [typed(name, text), methods(shiome[name])];
    assert.deepEqual([...there].filter((method) => !declared.has(method)), []);
    const fields = { Mesh: ["room", "peer"], Intent: ["name"] }[name] ?? [];
    assert.deepEqual([...declared].filter((member) => !there.has(member) && !fields.includes(member)), []);
  });
}

test("the methods of Rtc have types", () => {
  // Connections tell it what becomes of them.
  const inner = ["became", "over"];
  const there = [...methods(rtc.Rtc)].filter((method) => !inner.includes(method));
  assert.deepEqual(there.sort(), [...typed("Rtc", textOf("rtc.d.ts"))].sort());
  assert.deepEqual(Object.keys(rtc), ["Rtc"]);
});
