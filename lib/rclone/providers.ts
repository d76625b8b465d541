import { runRclone, type Rclone } from "./run.ts";

/**
 * Names of the options of each type of remote that rclone keeps obscured; nothing where rclone
 * doesn't tell in a way that is known here.
 */
export async function obscuredOptions(
  rclone: Rclone,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const lines: string[] = [];
  const { code } = await runRclone(rclone, {
    args: ["config", "providers"],
    signal,
    onLine: (line) => lines.push(line),
  });
  return code === 0 ? parseProviders(lines.join("\n")) : new Map();
}

function parseProviders(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>();
  for (const provider of list(parse(text))) {
    const name = field(provider, "Name");
    if (typeof name !== "string") continue;
    const obscured = list(field(provider, "Options"))
      .filter((option) => field(option, "IsPassword") === true)
      .map((option) => String(field(option, "Name")));
    found.set(name, new Set(obscured));
  }
  return found;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(name)
    : undefined;
}
