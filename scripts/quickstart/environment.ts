/**
 * The environment for commands: without RCLONE_* settings, which would change what rclone does and
 * what a configuration says.
 */
export function clean(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("RCLONE_")));
}

/** One word as a POSIX shell reads it back. */
export function quote(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
