import { B2Error } from "./errors.ts";
import { allow } from "./keys.ts";
import { encodeName } from "./names.ts";
import { rangeOf } from "./range.ts";
import type { Reply } from "./reply.ts";
import type { Bucket, Service } from "./service.ts";
import type { Version } from "./version.ts";

/** What a download asks for. */
export interface Download {
  readonly service: Service;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

const ownHeaders: Readonly<Record<string, string>> = {
  "b2-content-disposition": "Content-Disposition",
  "b2-content-language": "Content-Language",
  "b2-expires": "Expires",
  "b2-cache-control": "Cache-Control",
  "b2-content-encoding": "Content-Encoding",
};

/** The current version of a name; none where it is hidden. */
export function downloadByName(download: Download, bucketName: string, name: string): Reply {
  const bucket = download.service.bucketNamed(bucketName);
  if (bucket === undefined)
    throw new B2Error(404, "not_found", `Bucket ${bucketName} does not exist`);
  permit(download, bucket, name);
  const versions = download.service.versionsOf(bucket, name);
  const newest = versions.find(({ action }) => action !== "start");
  if (newest?.action !== "upload")
    throw new B2Error(404, "not_found", `File with such name does not exist: ${name}`);
  return reply(download, newest);
}

/** Any version, by its id. */
export function downloadById(download: Download, fileId: string): Reply {
  const { service, authorization } = download;
  service.tokens.check(authorization, ["account", "download"]);
  const found = service.find(fileId);
  if (found === undefined || found.version.action !== "upload")
    throw new B2Error(404, "not_found", `Bad fileId: ${fileId}`);
  permit(download, found.bucket, found.version.fileName);
  return reply(download, found.version);
}

function permit({ service, authorization }: Download, bucket: Bucket, name: string): void {
  if (bucket.type === "allPublic" && authorization === undefined) return;
  const token = service.tokens.check(authorization, ["account", "download"]);
  if (token.kind === "account") return allow(token.key, "readFiles", bucket.id, name);
  if (token.target !== bucket.id || !name.startsWith(token.prefix))
    throw new B2Error(401, "unauthorized", "the download authorization is for other files");
}

function reply({ range }: Download, version: Version): Reply {
  const { content } = version;
  if (content === undefined) throw new B2Error(404, "not_found", "this file has no content");
  const headers: Record<string, string> = {
    "Accept-Ranges": "bytes",
    "Content-Type": version.contentType ?? "application/octet-stream",
    "X-Bz-File-Id": version.fileId,
    "X-Bz-File-Name": encodeName(version.fileName),
    "X-Bz-Content-Sha1": version.sha1 ?? "none",
    "X-Bz-Upload-Timestamp": String(version.timestamp),
    "Cache-Control": "max-age=0, no-cache, no-store",
  };
  for (const [name, value] of Object.entries(version.fileInfo)) {
    const own = ownHeaders[name];
    if (own === undefined) headers[`X-Bz-Info-${name}`] = encodeName(value);
    else headers[own] = value;
  }
  if (range === undefined) return { status: 200, headers, content, start: 0, end: content.size };
  const [start, end] = rangeOf(range, content.size);
  headers["Content-Range"] = `bytes ${start}-${end - 1}/${content.size}`;
  return { status: 206, headers, content, start, end };
}
