import { chmod, mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import * as v from "valibot";
import { projectRoot, run } from "./command.ts";
import type { Step } from "./pages.ts";
import { makeSandbox, emptyPassword } from "./sandbox.ts";

/** A machine as the pages speak of one: /srv, /etc, /mnt and /var/lib are directories of the test. */
export interface PageWorld {
  /** Runs steps one after another in one shell, so that `cd` and variables last. */
  runSteps: (steps: readonly Step[]) => Promise<StepResult[]>;
}

export interface StepResult {
  readonly step: Step;
  readonly code: number;
  /** stdout and stderr as a terminal shows them, with the paths of the page. */
  readonly output: string;
}

/** What /srv/data holds. */
const files: Readonly<Record<string, string>> = {
  "letters/aunt.txt": "Dear aunt,\n",
  "letters/bank.txt": "Dear bank,\n",
  "notes/diary.txt": "It rained.\n",
  "photos/one.jpg": "1".repeat(300_000),
  "photos/two.jpg": "2".repeat(200_000),
};

/** The names under which the package installs its commands, and where each is compiled to. */
async function installedCommands(): Promise<readonly (readonly [name: string, file: string])[]> {
  const manifest = v.parse(
    v.object({ bin: v.record(v.string(), v.string()) }),
    JSON.parse(await readFile(path.join(projectRoot, "package.json"), "utf8")),
  );
  return Object.entries(manifest.bin);
}

/**
 * Makes such a machine: a source, and `secret:` over /mnt/backup with a backup `data` unless it is
 * to be bare. HOME is empty apart from that.
 */
export async function makePageWorld(
  t: TestContext,
  { bare }: { bare: boolean },
): Promise<PageWorld> {
  const sandbox = await makeSandbox(t);
  const { root, home, bin } = sandbox;
  const at = (name: string): string => path.join(root, name);
  for (const place of ["srv/data", "etc/rclone-backups", "etc/cron.daily", "mnt", "var/lib", "run"])
    await mkdir(at(place), { recursive: true });
  await writeSource(at("srv/data"));
  for (const [name, file] of await installedCommands()) {
    const command = path.join(bin, name);
    const script = `#!/bin/sh\nexec '${process.execPath}' '${path.join(projectRoot, file)}' "$@"\n`;
    await writeFile(command, script);
    await chmod(command, 0o755);
  }
  if (!bare) {
    await mkdir(path.join(home, ".config/rclone"), { recursive: true });
    await writeFile(
      path.join(home, ".config/rclone/rclone.conf"),
      `[secret]\ntype = crypt\nremote = ${at("mnt/backup")}\npassword = ${emptyPassword}\n`,
      { mode: 0o600 },
    );
    await writeFile(
      at("etc/rclone-backups/data.conf"),
      `[default]\nsource = ${at("srv/data")}\ndestination = secret:data\n`,
    );
  }
  const env = {
    PATH: sandbox.env["PATH"] ?? "",
    HOME: home,
    LANG: "C.UTF-8",
    TZ: "UTC",
    RCLONE_BACKUPS_DIR: at("etc/rclone-backups"),
    RCLONE_BACKUPS_STATE: at("var/lib/rclone-backups"),
    CHECKOUT: projectRoot,
    npm_config_update_notifier: "false",
  };
  return {
    runSteps: async (steps) => {
      const script = at("page.sh");
      await writeFile(script, scriptOf(steps, root, at("run")));
      const { stderr } = await run("sh", [script], { cwd: home, env, timeout: 240_000 });
      if (stderr !== "") throw new Error(stderr);
      return Promise.all(
        steps.map(async (step, number) => resultOf(step, root, at("run"), number)),
      );
    },
  };
}

async function writeSource(source: string): Promise<void> {
  const time = new Date("2024-05-06T07:08:09Z");
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(source, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    await utimes(file, time, time);
  }
}

/** Each command runs in the shell itself, with `$?` as the one before left it. */
function scriptOf(steps: readonly Step[], root: string, out: string): string {
  const lines = steps.map(({ command }, number) => {
    const inside = command.replaceAll(
      /(?<![\w.~/-])\/(?=(?:srv|etc|mnt|var\/lib)(?:\/|\b))/g,
      `${root}/`,
    );
    return `(exit $code)\n{\n${inside}\n} >'${out}/${number}.out' 2>&1 </dev/null\ncode=$?\necho $code >'${out}/${number}.code'\n`;
  });
  return `code=0\n${lines.join("")}`;
}

async function resultOf(
  step: Step,
  root: string,
  out: string,
  number: number,
): Promise<StepResult> {
  const output = await readFile(path.join(out, `${number}.out`), "utf8");
  return {
    step,
    code: Number(await readFile(path.join(out, `${number}.code`), "utf8")),
    output: output.replaceAll(root, ""),
  };
}
