import { isIP } from "node:net";
import { usage } from "../../errors.ts";

/** What a request is about. */
export interface Target {
  readonly bucket: string;
  readonly key: string | undefined;
  readonly query: Readonly<Record<string, string>>;
  readonly region: string;
}

/** Where a server is, and how it wants its buckets named. */
export interface Endpoint {
  /** For messages. */
  readonly server: string;
  readonly region: string;
  /** Throws a Failure for a key that no URL can hold. */
  url(target: Target): string;
}

/** Providers whose buckets are asked for by host name; rclone does so whatever force_path_style says. */
const byHost = new Set([
  "AWS",
  "Alibaba",
  "DigitalOcean",
  "Dreamhost",
  "GCS",
  "HuaweiOBS",
  "Lyve",
  "Netease",
  "Qiniu",
  "TencentCOS",
]);

/**
 * The endpoint that the options of an rclone s3 remote mean. `region` is what the environment or a
 * profile adds where the remote names none. Throws a usage failure for one that is no address.
 */
export function findEndpoint(
  options: ReadonlyMap<string, string>,
  region: string | undefined,
): Endpoint {
  const named = options.get("endpoint") || undefined;
  const provider = options.get("provider") ?? "";
  const home = options.get("region") || region || "us-east-1";
  const accelerated = isTrue(options.get("use_accelerate_endpoint"));
  const dual = isTrue(options.get("use_dual_stack"));
  const hosts =
    byHost.has(provider) ||
    accelerated ||
    options.get("force_path_style")?.toLowerCase() === "false";
  const fixed = named === undefined ? undefined : address(named);
  const base = (at: string): URL => fixed ?? amazon(at, accelerated, dual);
  return {
    server: base(home).origin,
    region: home,
    url: ({ bucket, key, query, region: at }) => {
      const { protocol, host, hostname, pathname } = base(at);
      const root = pathname.replace(/\/+$/, "");
      const asHost =
        hosts && isIP(hostname.replace(/^\[|\]$/g, "")) === 0 && hostable(bucket, protocol);
      const path = key === undefined ? "" : encodedKey(key);
      const place = asHost
        ? `${protocol}//${bucket}.${host}${root}/${path}`
        : `${protocol}//${host}${root}/${encoded(bucket)}${key === undefined ? "" : `/${path}`}`;
      const search = Object.entries(query).map(([name, value]) => `${name}=${encoded(value)}`);
      return search.length === 0 ? place : `${place}?${search.join("&")}`;
    },
  };
}

function amazon(region: string, accelerated: boolean, dual: boolean): URL {
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  if (accelerated) return new URL(`https://s3-accelerate${dual ? ".dualstack" : ""}.${domain}`);
  return new URL(`https://s3.${dual ? "dualstack." : ""}${region}.${domain}`);
}

function address(endpoint: string): URL {
  const url = /^[a-z]+:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`;
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url))
    throw usage("an s3 remote: expected an address as endpoint, found something else", {
      hint: "write it as https://HOST or HOST:PORT",
    });
  return new URL(url);
}

/** Whether a bucket's name can stand in a host name; dots in it don't fit certificates. */
function hostable(bucket: string, protocol: string): boolean {
  return (
    /^[a-z0-9][a-z0-9.-]*[a-z0-9]$/.test(bucket) && !(protocol === "https:" && bucket.includes("."))
  );
}

function encodedKey(key: string): string {
  const segments = key.split("/");
  if (segments.some((segment) => segment === "." || segment === ".."))
    throw usage(`expected a key that a URL can hold, found ${key}`, {
      hint: "a segment . or .. of a key can't be asked for: leave this object to other tools",
    });
  return segments.map(encoded).join("/");
}

/** Percent-encoded as signatures want it. */
export function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Whether a boolean option of rclone is switched on. */
export function isTrue(option: string | undefined): boolean {
  return /^(1|t|true)$/i.test(option ?? "");
}
