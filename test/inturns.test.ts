import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { inTurns } from "../lib/documents/inturns.ts";

const never = new AbortController().signal;

/** Counts up, and says when it is over. */
async function* counting(
  name: string,
  count: number,
  signal: AbortSignal,
  over: string[],
): AsyncGenerator<string> {
  try {
    for (let at = 0; at < count; at += 1) {
      await setImmediate();
      signal.throwIfAborted();
      yield `${name}${at}`;
    }
  } finally {
    over.push(name);
  }
}

async function* failing(): AsyncGenerator<string> {
  await setImmediate();
  yield "bad";
  throw new Error("expected a file, found none");
}

test("what all give comes, each in its order", async () => {
  const over: string[] = [];
  const found: string[] = [];
  const all = inTurns(
    (signal) => [
      counting("a", 5, signal, over),
      counting("b", 0, signal, over),
      counting("c", 3, signal, over),
    ],
    never,
  );
  for await (const each of all) found.push(each);
  assert.deepEqual(
    found.filter((each) => each.startsWith("a")),
    ["a0", "a1", "a2", "a3", "a4"],
  );
  assert.deepEqual(
    found.filter((each) => each.startsWith("c")),
    ["c0", "c1", "c2"],
  );
  assert.equal(found.length, 8);
  assert.deepEqual(over.toSorted(), ["a", "b", "c"]);
});

/** Waits until it is told to stop. */
async function* waiting(signal: AbortSignal, over: string[]): AsyncGenerator<string> {
  try {
    yield "waits";
    await once(signal, "abort");
    signal.throwIfAborted();
  } finally {
    over.push("waiting");
  }
}

test("the first that fails ends the others, those that wait too", async () => {
  const over: string[] = [];
  const all = inTurns((signal) => [waiting(signal, over), failing()], never);
  await assert.rejects(async () => {
    for await (const each of all) assert.ok(each);
  }, /expected a file, found none/);
  assert.deepEqual(over, ["waiting"]);
});

test("who stops listening ends all of them, those that were not asked again too", async () => {
  const over: string[] = [];
  const all = inTurns((signal) => [counting("a", 1e9, signal, over), waiting(signal, over)], never);
  for await (const each of all) if (each === "a3") break;
  assert.deepEqual(over.toSorted(), ["a", "waiting"]);
});

test("a signal ends them with its reason", async () => {
  const over: string[] = [];
  const stop = new AbortController();
  const all = inTurns((signal) => [counting("a", 1e9, signal, over)], stop.signal);
  await assert.rejects(async () => {
    for await (const each of all) if (each === "a2") stop.abort(new Error("stopped by a signal"));
  }, /stopped by a signal/);
  assert.deepEqual(over, ["a"]);
});

test("none is asked for more before what it gave was taken", async () => {
  const given: string[] = [];
  async function* telling(): AsyncGenerator<string> {
    for (const each of ["first", "second", "third"]) {
      given.push(each);
      yield each;
    }
  }
  const all = inTurns(() => [telling()], never);
  await all.next();
  await setImmediate();
  assert.deepEqual(given, ["first"]);
  await all.next();
  assert.deepEqual(given, ["first", "second"]);
  await all.return(undefined);
});
