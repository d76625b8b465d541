import { parseArgsStringToArgv } from "string-argv";
import { usage } from "../errors.ts";
import { isSecretHeader, isSecretName } from "./secret-names.ts";

/**
 * Options of backends that say where a remote is and who asks: with them a location would mean
 * another place than the one that its name and the state stand for.
 */
const place = new RegExp(
  [
    // Where it is.
    "-(?:host|hostname|port|namenode|unix-socket|satellite-address|ssh|server-command|subsystem)$",
    "(?<!-accelerate)-endpoint$",
    "(?<!-(?:auth|token|download|plex|fetch))-url$",
    "-(?:provider|region|zone|location-id|use-emulator)$",
    // Which part of it.
    "-(?:remote|upstreams|root-folder-id|root-folder-slug|root-prefix|root-id|root-namespace)$",
    "-(?:team-drive|drive-id|drive-type|workspace-id|library|mountid|share-name|namespace|compartment|doi)$",
    "-(?:shared-with-me|starred-only|shared-files|shared-folders?)$|^(?:drive-scope|iclouddrive-service)$",
    // Who asks.
    "-(?:user|username|user-id|account|account-id|email|apple-id|domain|tenant|tenant-id|tenant-domain)$",
    "-(?:impersonate|impersonate-admin|env-auth|profile|role-arn|config-file|box-sub-type)$",
    "-(?:service-account-file|service-principal-file|shared-credentials-file)$",
  ].join("|"),
);

/** Flags of rclone that the pass-through refuses, each with the reason. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/^(?:transfers|checkers|bwlimit)$/, "it has a key of its own in [rclone]"],
  [/^(?:config|config-.*)$/, "set the configuration file with [rclone] config"],
  [
    /^(?:delete-.*|max-delete.*|ignore-errors)$|-(?:hard-delete|bypass-governance-retention|lifecycle|use-trash)$|^drive-keep-revision/,
    "what is deleted is for the guards to decide",
  ],
  [
    /^(?:ignore-existing|update|no-check-dest|size-only|modify-window|ignore-size|ignore-checksum|ignore-case-sync|immutable)$/,
    "changed files would no longer be backed up, or not be checked",
  ],
  [
    /^(?:no|local)-unicode-normalization$/,
    "names that differ in their Unicode form alone must stay two files",
  ],
  [
    /^(?:filter|include|exclude|files-from|metadata-filter|metadata-include|metadata-exclude|hash-filter)(?:$|-|\d)|^ignore-case$/,
    "filters belong in [filters], where the guards see them",
  ],
  [
    /^(?:min|max)-(?:age|size|depth)$/,
    "it filters files away, and filtered files are deleted from the backup",
  ],
  [/^(?:dry-run|interactive)$/, "use the command's own --dry-run"],
  [/^ask-password$|-ask-password$/, "a nightly run can't answer questions"],
  [
    /^(?:backup-dir|suffix|suffix-keep-extension|compare-dest|copy-dest)$/,
    "old versions are kept by the suite, not by this flag",
  ],
  [
    /-(?:versions|version-at|version-deleted|trashed-only)$/,
    "a sync must see the current files and nothing else",
  ],
  [
    /^(?:copy-links|links|skip-links|local-links)$/,
    "set [default] copy_links; other links are kept in special-files.tar.gz",
  ],
  [
    /^(?:log|stats|syslog|dump|progress)(?:$|-)|^(?:use-json-log|verbose|quiet|human-readable|combined|error-on-no-transfer)$/,
    "the suite reads rclone's log and exit code itself",
  ],
  [
    /^(?:rc|metrics|pprof|cpuprofile|memprofile)(?:$|-)/,
    "nobody else may steer a backup that is running",
  ],
  [
    /^crypt-|^name-transform$/,
    "without the flag the backup could not be read; set it in the remote's configuration",
  ],
  [place, "it changes which place is meant; set it in the remote's configuration"],
  [/^(?:help|version)$/, "it is no setting"],
];

/**
 * Splits the text of `[rclone] flags` by the rules of quotes in a shell and checks each flag.
 * The result holds `--flag` and `--flag=value` only, so that no flag can swallow what follows it.
 * Throws a usage failure that names the flag, never its value.
 */
export function parseFlags(text: string): string[] {
  const flags: string[] = [];
  for (const word of parseArgsStringToArgv(text)) {
    const last = flags.length - 1;
    const before = flags[last];
    if (word.startsWith("--")) {
      flags.push(word);
    } else if (word.startsWith("-") && !/^-\d/.test(word)) {
      throw usage(`expected long flags of rclone, found the short ${word.slice(0, 2)}`, {
        hint: "write the long form, such as --buffer-size=32M",
      });
    } else if (before === undefined || before.includes("=")) {
      throw usage("expected flags that begin with --, found a word that belongs to none", {
        hint: "quote values that hold spaces: --user-agent='my agent'",
      });
    } else {
      flags[last] = `${before}=${word}`;
    }
  }
  for (const flag of flags) checkFlag(flag);
  return flags;
}

/** Whether flags make rclone tell changed files by their checksums, where both ends have one in common. */
export function comparesChecksums(flags: readonly string[]): boolean {
  return flags.some((flag) => /^--checksum(?:=(?:1|t|true))?$/i.test(flag));
}

function checkFlag(flag: string): void {
  const equals = flag.indexOf("=");
  const name = flag.slice(2, equals < 0 ? undefined : equals);
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) {
    throw usage(
      "expected flags such as --buffer-size=32M, found one whose name holds something else than a-z, 0-9 and -",
    );
  }
  const header = /(?:^|-)headers?(?:$|-)/.test(name) && isSecretHeader(flag.slice(equals + 1));
  if (header || isSecretName(name)) {
    throw usage(`expected no secret in a flag, found --${name}`, {
      hint: "every user of the machine can see a program's arguments; put it into the rclone configuration",
    });
  }
  const reason = refusals.find(([pattern]) => pattern.test(name))?.[1];
  if (reason !== undefined)
    throw usage(`expected a flag that is safe to pass through, found --${name}`, { hint: reason });
}
