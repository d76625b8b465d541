import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { failed } from "../../lib/errors.ts";
import type { Rclone } from "../../test/helpers/rclones.ts";
import { timed } from "./measure.ts";
import type { Place } from "./place.ts";

/** What the server has. */
export interface B2Settings {
  /** The password by which names are encrypted. */
  readonly obscured: string;
  /** The directory, plain, that all names of the bucket `listing` are below. */
  readonly directory: string;
  /** Where it keeps pages of listings. */
  readonly pages: string;
  /** Versions in the bucket `listing`; none for 0. */
  readonly versions: number;
  /** Deleted files in the bucket `files`, by their stored names, with their content. */
  readonly files: readonly { readonly name: string; readonly file: string }[];
}

const where = v.object({ url: v.string(), keyId: v.string(), key: v.string() });

const served = v.object({ versions: v.number(), atOnce: v.number() });

type Served = v.InferOutput<typeof served>;

/** The B2 server of the tests, in a process of its own. */
export interface B2 extends v.InferOutput<typeof where> {
  /** An rclone configuration whose `hidden:` encrypts into the bucket. */
  readonly rcloneConf: string;
  /** How many versions it listed since it was asked last, and how many it was asked for at once. */
  readonly served: () => Promise<Served>;
  readonly close: () => Promise<void>;
}

/** Starts it; throws failed when it can't be. */
export async function startB2(
  place: Place,
  name: string,
  bucket: "files" | "listing",
  settings: Omit<B2Settings, "obscured" | "pages">,
): Promise<B2> {
  const pages = path.join(place.root, `${name} pages`);
  await mkdir(pages);
  const given: B2Settings = { ...settings, pages, obscured: place.obscured };
  const program = new URL("./b2program.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", "tsx", program, JSON.stringify(given)], {
    stdio: ["pipe", "pipe", "inherit"],
    // In a group of its own: ^C must not end it before those who ask it.
    detached: true,
  });
  const ended = once(child, "exit");
  const line = await Promise.race([once(createInterface(child.stdout), "line"), ended]);
  if (typeof line[0] !== "string") throw failed(`the B2 server ended with ${String(line[0])}`);
  const told = v.parse(where, JSON.parse(line[0]));
  const rcloneConf = path.join(place.root, `${name}.rclone.conf`);
  const { url, keyId, key } = told;
  const remotes = `[cloud]
type = b2
account = ${keyId}
key = ${key}
endpoint = ${url}
[hidden]
type = crypt
remote = cloud:${bucket}
password = ${place.obscured}
`;
  await writeFile(rcloneConf, remotes, { mode: 0o600 });
  return {
    ...told,
    rcloneConf,
    served: async () => v.parse(served, await (await fetch(`${url}/served`)).json()),
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** What a directory of `secret:` and of `hidden:` is called in the store. */
export async function storedName(place: Place, rclone: Rclone, name: string): Promise<string> {
  const args = ["--config", place.rcloneConf, "cryptdecode", "--reverse", "secret:", name];
  const { output } = await timed(place, { program: rclone.path, args, env: place.env });
  return (await readFile(output, "utf8")).trim().split(/\s+/).at(-1) ?? "";
}
