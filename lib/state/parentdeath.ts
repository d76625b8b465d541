let prefix: Promise<readonly string[]> | undefined;

/**
 * What to put before a program and its arguments so that it gets SIGTERM when our process dies, by
 * kill -9 too; empty where setpriv of util-linux can't do that. It keeps its pid. Tried once a process.
 */
export async function parentDeathPrefix(): Promise<readonly string[]> {
  prefix ??= probe();
  return prefix;
}

async function probe(): Promise<readonly string[]> {
  const { execa } = await import("execa");
  const words = ["setpriv", "--pdeathsig", "TERM", "--"] as const;
  const [program, ...options] = words;
  const { failed } = await execa(program, [...options, "true"], { stdio: "ignore", reject: false });
  return failed ? [] : words;
}
