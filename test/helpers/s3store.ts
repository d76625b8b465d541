// A store on a real S3 server.
import { openS3, type S3Options } from "../../lib/stores/s3/open.ts";
import type { Store } from "../../lib/stores/store.ts";
import { rawFromText, textFromRaw } from "../../lib/units/rawpath.ts";
import { ask, makeBucket, putObject, type S3Server, type Scope } from "./s3server.ts";
import type { StoreMaker } from "./storecontract.ts";

export interface OpenOptions extends Partial<Omit<S3Options, "options" | "path">> {
  /** Further or other options of the remote. */
  readonly remote?: Readonly<Record<string, string>>;
  /** Milliseconds waited for, in order. */
  readonly waits?: number[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Opens a place on a server (bucket and directory), without waiting for anything. */
export async function openOn(
  scope: Scope,
  server: Pick<S3Server, "options">,
  path: string,
  { remote = {}, waits = [], env = {}, ...rest }: OpenOptions = {},
): Promise<Store> {
  const store = await openS3({
    options: new Map([...server.options, ...Object.entries(remote)]),
    path: rawFromText(path),
    world: {
      env,
      now: () => new Date(),
      random: () => 0.5,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        waits.push(ms);
      },
    },
    ...rest,
  });
  scope.after(() => store.close());
  return store;
}

let buckets = 0;

/** A name that no other bucket of this process has. */
export function bucketName(): string {
  buckets += 1;
  return `bucket-${buckets}`;
}

/** The key of a name in the standard encoding: control characters stand for themselves in S3. */
function storedKey(name: string): string {
  return name.replaceAll(/‛?[␀-␟␡]/gu, (found) => {
    if (found.startsWith("‛")) return found.slice(1);
    const code = found.charCodeAt(0) - 0x2400;
    return String.fromCharCode(code === 0x21 ? 0x7f : code);
  });
}

/** Directories of buckets on a server, filled directly. */
export function s3Maker(
  server: Promise<S3Server>,
  title: string,
  { precision = 2, ...more }: Partial<StoreMaker> & { readonly precision?: number } = {},
): StoreMaker {
  return {
    title: `s3 (${title})`,
    ...more,
    async make(t, { pageSize } = {}) {
      const at = await server;
      const bucket = bucketName();
      await makeBucket(at, bucket, "Enabled");
      const below = `${bucket}/back up/of it`;
      const store = await openOn(t, at, below, pageSize === undefined ? {} : { pageSize });
      // Neighbours that a prefix without a boundary would take in.
      await putObject(at, `${bucket}/back up/of it too/a`, "no part of it");
      const path = (name: string): string => `${below}/${storedKey(name)}`;
      return {
        store,
        put: async (files) => {
          for (const { name, content, modifiedAt } of files)
            await putObject(at, path(textFromRaw(name)), content, modifiedAt);
        },
        remove: async (names) => {
          for (const name of names) await ask(at, "DELETE", path(textFromRaw(name)));
        },
        step: () => nextMoment(precision),
      };
    },
  };
}

/** Resolves when a clock that shows so many milliseconds at once shows another time. */
async function nextMoment(precision: number): Promise<void> {
  const moment = (): number => Math.round(Date.now() / precision);
  const before = moment();
  while (moment() <= before) await new Promise((resolve) => setTimeout(resolve, 1));
}
