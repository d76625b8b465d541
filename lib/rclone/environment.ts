/**
 * What rclone may see of our environment. An RCLONE_* variable left over in a crontab, such as
 * RCLONE_EXCLUDE or RCLONE_IGNORE_ERRORS, would change what a sync deletes, so only names that
 * rclone needs get through.
 */
const plain = new Set([
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "TMPDIR",
  "LANG",
  "LANGUAGE",
  "TZDIR",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "XDG_RUNTIME_DIR",
  "DBUS_SESSION_BUS_ADDRESS",
  "SSH_AUTH_SOCK",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "KRB5_CONFIG",
  "KRB5CCNAME",
  "RCLONE_CONFIG",
  "GOGC",
  "GOMEMLIMIT",
]);

const proxies = new Set(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]);

/** Locale, rclone's remotes, and the variables that cloud SDKs read credentials from. */
const prefixes = [
  "LC_",
  "RCLONE_CONFIG_",
  "AWS_",
  "AZURE_",
  "GOOGLE_",
  "OS_",
  "ST_",
  "OCI_",
  "ALIBABA_CLOUD_",
];

export interface ChildEnvironment {
  readonly env: Readonly<Record<string, string>>;
  /** RCLONE_* variables that were set and are not passed on, sorted. */
  readonly dropped: readonly string[];
}

/**
 * rclone's garbage collector at its default takes a sixth of the time of a run that only compares
 * listings. Letting the heap grow to five times what is live instead of twice gains that, and the
 * limit, at a quarter of the machine's memory, takes it back where memory is short.
 */
function memoryTuning(machineBytes: number): Record<string, string> {
  return { GOGC: "400", GOMEMLIMIT: String(Math.floor(machineBytes / 4)) };
}

/**
 * A library for terminals that rclone holds makes tables of the widths of characters at every start, which
 * is half of the start of rclone 1.60. Only `rclone ncdu` looks into them. See tcell's README.
 */
const noTables = { TCELL_MINIMIZE: "1" };

/**
 * The part of `env` that rclone gets on a machine with so many bytes of memory. Times are listed in
 * UTC, so TZ is set, not inherited.
 */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  machineBytes: number,
): ChildEnvironment {
  const kept: Record<string, string> = { ...memoryTuning(machineBytes), ...noTables };
  const dropped: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    const passes =
      plain.has(name) ||
      proxies.has(name.toUpperCase()) ||
      prefixes.some((prefix) => name.startsWith(prefix));
    if (passes) kept[name] = value;
    else if (name.startsWith("RCLONE_") && !name.startsWith("RCLONE_BACKUPS_")) dropped.push(name);
  }
  kept["TZ"] = "UTC";
  return { env: kept, dropped: dropped.toSorted() };
}
