/** rclone's running totals; fields that a version lacks are 0. */
export interface Stats {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly checks: number;
  readonly totalChecks: number;
  readonly transfers: number;
  readonly totalTransfers: number;
  readonly deletes: number;
  readonly errors: number;
  readonly speed: number;
  readonly etaSeconds: number | undefined;
  readonly fatal: boolean;
}

/** One line of rclone's log. */
export interface LogRecord {
  readonly level: "debug" | "info" | "notice" | "error";
  readonly message: string;
  /** The file's path as text: bytes that are not UTF-8 are U+FFFD. */
  readonly object: string | undefined;
  readonly size: number | undefined;
  /** In a dry run, what was not done: "copy", "delete", … */
  readonly skipped: string | undefined;
  readonly stats: Stats | undefined;
}

/**
 * Reads one line of `--use-json-log` output. Versions differ: 1.60 ends with a line that is not
 * JSON and calls a notice a warning, so whatever does not parse becomes a record of its own.
 */
export function parseLogLine(line: string): LogRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  if (!isObject(value)) return plainRecord(line);
  return {
    level: levelOf(value["level"]),
    message: typeof value["msg"] === "string" ? oneLine(value["msg"]) : line,
    object: typeof value["object"] === "string" ? value["object"] : undefined,
    size: typeof value["size"] === "number" ? value["size"] : undefined,
    skipped: typeof value["skipped"] === "string" ? value["skipped"] : undefined,
    stats: isObject(value["stats"]) ? statsOf(value["stats"]) : undefined,
  };
}

/** A system's error holds the name of its file as it is on disk: one with a newline must not look like two lines of ours. */
function oneLine(message: string): string {
  return message.trimEnd().replaceAll("\n", "\u240A");
}

function plainRecord(line: string): LogRecord {
  const text = line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, "");
  const bad = /^(ERROR|CRITICAL|Fatal|Failed|Error|panic)/.test(text);
  return {
    level: bad ? "error" : "notice",
    message: text,
    object: undefined,
    size: undefined,
    skipped: undefined,
    stats: undefined,
  };
}

function levelOf(level: unknown): LogRecord["level"] {
  switch (level) {
    case "debug":
    case "info":
      return level;
    case "error":
    case "critical":
    case "alert":
    case "emergency":
    case "fatal":
      return "error";
    default:
      return "notice";
  }
}

function statsOf(stats: Record<string, unknown>): Stats {
  const count = (key: string): number => (typeof stats[key] === "number" ? stats[key] : 0);
  return {
    bytes: count("bytes"),
    totalBytes: count("totalBytes"),
    checks: count("checks"),
    totalChecks: count("totalChecks"),
    transfers: count("transfers"),
    totalTransfers: count("totalTransfers"),
    deletes: count("deletes"),
    errors: count("errors"),
    speed: count("speed"),
    etaSeconds: typeof stats["eta"] === "number" ? stats["eta"] : undefined,
    fatal: stats["fatalError"] === true,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
