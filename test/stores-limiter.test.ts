// How many requests are under way at once.
import { test } from "node:test";
import assert from "node:assert/strict";
import { Limiter } from "../lib/stores/limiter.ts";

test("the limiter starts low, grows with successes, halves when the server complains", async () => {
  const limiter = new Limiter(8);
  let running = 0;
  const peaks: number[] = [];
  const work = async (): Promise<void> => {
    running += 1;
    peaks.push(running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  await limiter.map(Array.from({ length: 40 }), work);
  assert.equal(Math.max(...peaks.slice(0, 2)), 2);
  assert.equal(Math.max(...peaks), 8);
  limiter.busy();
  // A round of requests that were under way together complains once.
  limiter.busy();
  assert.equal(limiter.limit, 4);
  peaks.length = 0;
  await limiter.map(Array.from({ length: 4 }), work);
  assert.equal(Math.max(...peaks), 4);
  assert.equal(limiter.limit, 5);
});

test("the limiter's first error ends the work, and nothing runs on", async () => {
  const limiter = new Limiter(4, 4);
  const begun: number[] = [];
  let ended = 0;
  const work = async (item: number, signal: AbortSignal): Promise<void> => {
    begun.push(item);
    if (item === 2) throw new Error("the second");
    await new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => setImmediate(resolve)),
    );
    ended += 1;
  };
  await assert.rejects(limiter.map([1, 2, 3, 4, 5, 6], work), /the second/);
  assert.ok(begun.length <= 4);
  assert.equal(ended, begun.length - 1);
});
