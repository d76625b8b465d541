import { posix } from "node:path";
import type { ServiceOptions } from "./options.ts";
import { unitWord } from "./words.ts";

/**
 * What a service of systemd may not do, as lines of [Service]. A backup has to see all of its source as
 * everybody else does. So a setting that would hide files is left out where a backup works among them,
 * and some are never set:
 * - PrivateDevices, since mounts are told from each other by /dev/disk/by-uuid;
 * - PrivateUsers, since owners would look like nobody in the archive of special files;
 * - MemoryDenyWriteExecute, since Node compiles while it runs.
 */
export function sandbox(options: ServiceOptions): string[] {
  return options.scope === "user" ? always : [...always, ...ofTheMachine(options)];
}

/** Works for the services of a user too: no file system namespace is needed. */
const always = [
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "RestrictNamespaces=yes",
  // Netlink tells Node of the network's interfaces.
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallErrorNumber=EPERM",
  "UMask=0077",
];

const kernel = [
  "PrivateMounts=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelTunables=yes",
  "KeyringMode=private",
  "DevicePolicy=closed",
];

/** Settings that put something else in the place of directories. */
const hiding: readonly { readonly line: string; readonly hides: readonly string[] }[] = [
  { line: "PrivateTmp=yes", hides: ["/tmp", "/var/tmp"] },
  { line: "ProtectKernelModules=yes", hides: ["/lib/modules", "/usr/lib/modules"] },
];

function ofTheMachine(options: ServiceOptions): string[] {
  const { access } = options;
  const isUsed = (hidden: string): boolean =>
    [...access.used, ...access.writable].some(
      (path) => isWithin(path, hidden) || isWithin(hidden, path),
    );
  return [
    ...kernel,
    ...hiding.filter(({ hides }) => !hides.some(isUsed)).map(({ line }) => line),
    ...writing(options),
    ...capabilities(options.user),
  ];
}

/** What may be written to: nothing, or where that would be all, nothing of the system itself. */
function writing({ access, state, localMail }: ServiceOptions): string[] {
  const own = [...access.writable, ...stateLines(state).writable];
  const paths = [...new Set([...own, ...(localMail ? spools : [])])].toSorted();
  const lines = paths.includes("/")
    ? ["ProtectSystem=full"]
    : [
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        // Together with ProtectKernelTunables, systemd 252 was seen to leave it writable.
        ...(paths.includes("/run") ? [] : ["ReadOnlyPaths=/run"]),
        // A disk that isn't plugged in is the guards' business, not a reason not to start.
        ...paths.map((path) => `ReadWritePaths=${unitWord(`-${path}`)}`),
      ];
  return [...lines, ...stateLines(state).lines];
}

/** Where the usual programs called sendmail put mail, and what they log; those that are not there don't matter. */
const spools = [
  ...["/var/spool/postfix/maildrop", "/var/spool/postfix/public"],
  ...["/var/spool/exim4", "/var/spool/exim", "/var/log/exim4", "/var/log/exim"],
  ...["/var/spool/clientmqueue", "/var/spool/mqueue"],
  ...["/var/spool/nullmailer", "/var/spool/dma", "/var/spool/smtpd/offline"],
];

/** systemd makes the directory below /var/lib itself, for whoever runs the service. */
function stateLines(state: string): { lines: string[]; writable: string[] } {
  const name = isWithin(state, "/var/lib") ? posix.relative("/var/lib", state) : "";
  if (name === "" || /\s/.test(name)) return { lines: [], writable: [state] };
  return { lines: [`StateDirectory=${unitWord(name)}`, "StateDirectoryMode=0700"], writable: [] };
}

/**
 * Root keeps what is needed to read and write files of others, and to become another user in a hook.
 * Anybody else gets the right to read all files, and no other.
 */
function capabilities(user: string): string[] {
  if (user !== "root")
    return ["CapabilityBoundingSet=CAP_DAC_READ_SEARCH", "AmbientCapabilities=CAP_DAC_READ_SEARCH"];
  return [
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID",
  ];
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}
