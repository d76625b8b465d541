import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { clean } from "./environment.ts";
import { exists, Refusal, writeWhole } from "./place.ts";
import type { Place } from "./place.ts";

/**
 * Writes an rclone configuration with a crypt remote over the store and a fresh random password,
 * unless an earlier quickstart did.
 */
export function ensureRemote(place: Place): void {
  if (exists(place.rcloneConf)) return;
  if (!exists(place.password)) {
    if (readdirSync(place.store).length > 0) {
      throw new Refusal(
        `${place.store} holds encrypted files, but rclone.conf and password.txt are gone: delete ${place.root} to start anew`,
      );
    }
    writeWhole(
      place.password,
      `# The password of the remote "quickstart" in rclone.conf. Keep a copy elsewhere.\n${randomBytes(32).toString("base64url")}\n`,
    );
  }
  const password = readFileSync(place.password, "utf8")
    .split("\n")
    .find((line) => line !== "" && !line.startsWith("#"));
  if (password === undefined) throw new Refusal(`${place.password} holds no password`);
  writeWhole(
    place.rcloneConf,
    `[quickstart]\ntype = crypt\nremote = ${place.store}\npassword = ${obscure(password)}\n`,
  );
}

/** The password as rclone.conf holds it. It goes by stdin, since anyone may read an argument. */
function obscure(password: string): string {
  const { status, stdout, stderr, error } = spawnSync("rclone", ["obscure", "-"], {
    input: password,
    encoding: "utf8",
    env: clean(process.env),
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`rclone obscure failed: ${stderr.trim()}`);
  return stdout.trim();
}
