import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  freePort,
  s3Server,
  startServer,
  untilReachable,
  type S3Server,
  type Scope,
} from "./s3server.ts";
import { tool } from "./tools.ts";

/** Starts versitygw, an S3 server that keeps objects and versions in a directory, until the scope ends. */
export async function startVersitygw(scope: Scope): Promise<S3Server> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-versitygw-"));
  scope.after(() => rm(root, { recursive: true, force: true }));
  for (const folder of ["objects", "versions"]) await mkdir(path.join(root, folder));
  const port = await freePort();
  const [accessKeyId, secretAccessKey] = ["test-key-id", "test-secret-key"];
  await startServer(
    scope,
    tool("versitygw"),
    [
      "--port",
      `127.0.0.1:${port}`,
      "posix",
      "--versioning-dir",
      path.join(root, "versions"),
      path.join(root, "objects"),
    ],
    { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey, HOME: root },
    /service listening on:/,
  );
  // It says that it listens a moment before it does.
  await untilReachable(port);
  return s3Server("versitygw", `http://127.0.0.1:${port}`, accessKeyId, secretAccessKey);
}
