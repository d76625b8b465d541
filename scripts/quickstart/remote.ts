import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { makePassword } from "../../lib/crypt/passphrase.ts";
import { cryptOptions } from "../../lib/jobs/init/passwords.ts";
import { sectionText } from "../../lib/rclone/configfile.ts";
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
      `# The password of the remote "quickstart" in rclone.conf. Keep a copy elsewhere.\n${makePassword(randomBytes)}\n`,
    );
  }
  const password = readFileSync(place.password, "utf8")
    .split("\n")
    .find((line) => line !== "" && !line.startsWith("#"));
  if (password === undefined) throw new Refusal(`${place.password} holds no password`);
  const options = cryptOptions(place.store, { password, salt: undefined }, randomBytes);
  writeWhole(place.rcloneConf, sectionText({ name: "quickstart", options }));
}
