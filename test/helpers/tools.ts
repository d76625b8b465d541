import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import { cacheDirectory } from "./rclones.ts";

export type ToolName =
  | "moto_server"
  | "versitygw"
  | "b2"
  | "sshd"
  | "chromium"
  | "hadolint"
  | "ansible-playbook"
  | "systemd-analyze"
  | "zsh"
  | "fish"
  | "groff";

interface Kind {
  /** Names it; wins. */
  readonly variable: string;
  /** Names on the PATH or absolute paths, the first that is there wins over the cache. */
  readonly candidates: readonly string[];
}

// The same as in scripts/lib/testtools.sh.
const kinds: Readonly<Record<ToolName, Kind>> = {
  moto_server: { variable: "RCLONE_BACKUPS_TEST_MOTO", candidates: ["moto_server"] },
  versitygw: { variable: "RCLONE_BACKUPS_TEST_VERSITYGW", candidates: ["versitygw"] },
  b2: { variable: "RCLONE_BACKUPS_TEST_B2", candidates: ["b2"] },
  hadolint: { variable: "RCLONE_BACKUPS_TEST_HADOLINT", candidates: ["hadolint"] },
  "ansible-playbook": {
    variable: "RCLONE_BACKUPS_TEST_ANSIBLE",
    candidates: ["ansible-playbook"],
  },
  "systemd-analyze": {
    variable: "RCLONE_BACKUPS_TEST_SYSTEMD_ANALYZE",
    candidates: ["systemd-analyze"],
  },
  zsh: { variable: "RCLONE_BACKUPS_TEST_ZSH", candidates: ["zsh"] },
  fish: { variable: "RCLONE_BACKUPS_TEST_FISH", candidates: ["fish"] },
  groff: { variable: "RCLONE_BACKUPS_TEST_GROFF", candidates: ["groff"] },
  sshd: {
    variable: "RCLONE_BACKUPS_TEST_SSHD",
    candidates: ["sshd", "/usr/sbin/sshd", "/usr/local/sbin/sshd"],
  },
  chromium: {
    variable: "RCLONE_BACKUPS_TEST_CHROMIUM",
    candidates: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  },
};

/** The absolute path of a program that scripts/setup.sh --tests left; throws where it is missing. */
export function tool(name: ToolName): string {
  const { variable, candidates } = kinds[name];
  const named = process.env[variable];
  const places = (process.env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
  const files = named
    ? [path.resolve(named)]
    : [
        ...candidates.flatMap((candidate) =>
          path.isAbsolute(candidate)
            ? [candidate]
            : places.map((folder) => path.resolve(folder, candidate)),
        ),
        path.join(cacheDirectory(), name),
      ];
  const file = files.find((candidate) => runs(candidate));
  if (file === undefined) {
    const origin = named ? `${variable} names ${named}` : `${variable} is not set`;
    throw new Error(`no ${name} for the tests (${origin}): run sh scripts/setup.sh --tests`);
  }
  return file;
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
