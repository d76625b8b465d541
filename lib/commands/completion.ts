import { readFile } from "node:fs/promises";
import { Argument, Command } from "@commander-js/extra-typings";
import { packageVersion, runCommand } from "../cli.ts";
import { failed } from "../errors.ts";

/** `rclone-backups completion`: prints a script that was made with the package. */
export function completionCommand(name: string) {
  return new Command("completion")
    .description("Print what makes a shell complete the command lines of the whole suite.")
    .addArgument(
      new Argument("<shell>", "the shell to print it for").choices([
        "bash",
        "zsh",
        "fish",
      ] as const),
    )
    .version(packageVersion())
    .addHelpText(
      "after",
      `
Examples:
  source <(rclone-backups completion bash)    in ~/.bashrc
  source <(rclone-backups completion zsh)     in ~/.zshrc, below compinit
  rclone-backups completion fish | source     in ~/.config/fish/config.fish`,
    )
    .action((shell) =>
      runCommand(name, { verbose: 0, color: "auto" }, async ({ terminal }) => {
        await terminal.result(await readScript(shell));
        return "done";
      }),
    );
}

/** Compiled code lies in a folder of dist/, its source two folders below the checkout. */
const places = ["../completions/", "../../dist/completions/"];

async function readScript(shell: string): Promise<string> {
  let cause: unknown;
  for (const place of places) {
    try {
      return await readFile(new URL(place + shell, import.meta.url), "utf8");
    } catch (error) {
      cause ??= error;
    }
  }
  throw failed(`completions/${shell}: expected a file of the package, found none`, {
    hint: "install the package anew, or run npm run build in a checkout",
    cause,
  });
}
