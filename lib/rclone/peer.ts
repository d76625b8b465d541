/** A host that serves a store, and its port. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  /** Reached over HTTP, where a proxy may stand between. */
  readonly scheme?: "http" | "https";
}

/** Ports that rclone's backends take when none is set. */
const ports: Readonly<Record<string, number>> = { sftp: 22, ftp: 21, smb: 445 };

/** Options by which rclone reaches the host in another way than by a connection of its own to it. */
const detours = ["ssh", "socks_proxy", "http_proxy"];

/**
 * The host behind the remote of a store; undefined for what is no host's (a cloud, a directory), for
 * one that rclone reaches through something else, and where options don't say it.
 */
export function peerOf(type: string, options: ReadonlyMap<string, string>): Peer | undefined {
  if (detours.some((option) => (options.get(option) ?? "") !== "")) return undefined;
  if (type === "webdav" || type === "http") return peerOfUrl(options.get("url") ?? "");
  const usual = ports[type];
  const host = bare(options.get("host") ?? "");
  if (usual === undefined || host === "") return undefined;
  const text = options.get("port") ?? "";
  const port = text === "" || text === "0" ? usual : Number(text);
  return isPort(port) ? { host, port } : undefined;
}

function peerOfUrl(text: string): Peer | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port } = new URL(text);
  const scheme = protocol.slice(0, -1);
  if ((scheme !== "http" && scheme !== "https") || hostname === "") return undefined;
  return { host: bare(hostname), port: Number(port) || (scheme === "http" ? 80 : 443), scheme };
}

/** An IPv6 address stands in brackets where a port may follow. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}

/** `nas:22`, as messages name it. */
export function peerText({ host, port }: Peer): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
