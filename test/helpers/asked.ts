import { compiled, start, type Result } from "./command.ts";
import type { Commands } from "./historyworld.ts";

/**
 * Runs a compiled command on a terminal of its own, by script(1), and answers its question once
 * `meanwhile` is done; what the terminal got is `stdout`.
 */
export async function answer(
  { box }: Pick<Commands, "box">,
  command: string,
  {
    args,
    typed,
    meanwhile = () => {},
  }: {
    /** Words that a shell leaves alone. */
    readonly args: readonly string[];
    readonly typed: string;
    readonly meanwhile?: () => void | Promise<void>;
  },
): Promise<Result> {
  const words = [process.execPath, compiled(command), ...args];
  const live = start("script", ["-q", "-e", "-c", words.join(" "), "/dev/null"], {
    cwd: box.root,
    env: { ...box.env, TERM: "dumb", SHELL: "/bin/sh" },
    typing: true,
  });
  await live.waitFor(/\? \[yes\/no\]/);
  await meanwhile();
  live.child.stdin?.write(typed);
  return live.done;
}
