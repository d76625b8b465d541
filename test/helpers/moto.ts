import { s3Server, startServer, type S3Server, type Scope } from "./s3server.ts";
import { tool } from "./tools.ts";

/** Starts moto, an S3 server with versions in its memory, until the scope ends. It checks no signatures. */
export async function startMoto(scope: Scope): Promise<S3Server> {
  const [, port] = await startServer(
    scope,
    tool("moto_server"),
    ["--host", "127.0.0.1", "--port", "0"],
    { PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1", HOME: "/nonexistent" },
    /Running on http:\/\/127\.0\.0\.1:(\d+)/,
  );
  return s3Server("moto", `http://127.0.0.1:${port}`, "test-key-id", "test-secret-key");
}
