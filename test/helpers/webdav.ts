import { mkdirSync, readFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import path from "node:path";
import { start } from "./command.ts";
import { newRclone } from "./rclones.ts";
import type { Sandbox } from "./sandbox.ts";

/** Starts a WebDAV server, which keeps neither checksums nor times, as `dav:`, and `davcrypt:` encrypts into it. */
export async function serveWebdav(box: Sandbox): Promise<void> {
  const served = path.join(box.root, "served");
  mkdirSync(served);
  const server = start(newRclone.path, ["serve", "webdav", "--addr", "127.0.0.1:0", served], {
    env: box.env,
  });
  box.defer(async () => {
    server.killGroup("SIGKILL");
    await server.done;
  });
  const [, url = ""] = await server.waitFor(/(http:\/\/127\.0\.0\.1:\d+\/)/);
  const password = /password = (\S+)/.exec(readFileSync(box.rcloneConf, "utf8"))?.[1] ?? "";
  await appendFile(
    box.rcloneConf,
    `\n[dav]\ntype = webdav\nurl = ${url}\nvendor = other\n\n[davcrypt]\ntype = crypt\nremote = dav:c\npassword = ${password}\n`,
  );
}
