import { type TestContext } from "node:test";
import type { Store } from "../../lib/stores/store.ts";
import { enabled, send, startFake, type Answering, type Fake } from "./s3fake.ts";
import { openOn, type OpenOptions } from "./s3store.ts";

/** A store on a server that knows of versions and answers all else as given. */
export async function opened(
  t: TestContext,
  answer: Answering,
  options: OpenOptions = {},
): Promise<{ readonly fake: Fake; readonly store: Store }> {
  const fake = await startFake(t, (_, response) => send(response, 200, enabled));
  const store = await openOn(t, fake, "bucket/d", options);
  fake.came.length = 0;
  fake.answer = answer;
  return { fake, store };
}
