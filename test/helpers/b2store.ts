// A store on the B2 server of the tests.
import type { TestContext } from "node:test";
import { openB2, type B2Options } from "../../lib/stores/b2/open.ts";
import type { Store } from "../../lib/stores/store.ts";
import { rawFromText, textFromRaw, type RawPath } from "../../lib/units/rawpath.ts";
import { startB2, type B2Key, type B2Server } from "./b2/server.ts";
import type { StoreMaker } from "./storecontract.ts";

export interface OpenOptions extends Partial<Omit<B2Options, "options" | "path">> {
  readonly key?: B2Key;
  /** Bucket and directory; the whole first bucket unless given. */
  readonly path?: string;
  /** Milliseconds waited for, in order. */
  readonly waits?: number[];
  readonly remote?: Readonly<Record<string, string>>;
}

/** Opens a place on the server, without waiting for anything. */
export async function openOn(
  t: TestContext,
  server: B2Server,
  { key = server, path, waits = [], remote = {}, ...rest }: OpenOptions = {},
): Promise<Store> {
  const store = await openB2({
    options: new Map(
      Object.entries({ account: key.keyId, key: key.key, endpoint: server.url, ...remote }),
    ),
    path: rawFromText(path ?? server.bucket),
    world: {
      env: {},
      now: () => new Date(server.clock.now()),
      random: () => 0.5,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        waits.push(ms);
      },
    },
    ...rest,
  });
  t.after(() => store.close());
  return store;
}

/**
 * The name under which rclone's b2 backend stores one in the standard encoding. The two differ
 * in the backslash alone, which B2 does not take.
 */
function storedName(name: string): string {
  return name.replaceAll("＼", "‛＼").replaceAll("\\", "＼");
}

function below(name: RawPath): string {
  return `back up/of it/${storedName(textFromRaw(name))}`;
}

/** A directory of a bucket, filled directly. */
export const b2Maker: StoreMaker = {
  title: "b2",
  async make(t, { pageSize } = {}) {
    const server = await startB2(t);
    const store = await openOn(t, server, {
      path: `${server.bucket}/back up/of it`,
      ...(pageSize === undefined ? {} : { pageSize }),
    });
    // Neighbours that a prefix without a boundary would take in.
    server.put("back up/of it", "no part of it");
    server.put("back up/of it too/a", "no part of it");
    return {
      store,
      put: async (files) => {
        for (const { name, content, modifiedAt } of files)
          server.put(below(name), content, { modifiedAt });
      },
      remove: async (names) => {
        for (const name of names) server.hide(below(name));
      },
      step: async () => server.clock.advance(60_000),
    };
  },
};
