import { shellWords } from "../../units/shellwords.ts";
import type { SheetOption, SheetRemote } from "./credentials.ts";

/** All that is needed to get a backup back without the machine that made it. */
export interface SheetFacts {
  readonly name: string;
  readonly source: string;
  /** Through crypt, as rclone is given it. */
  readonly destination: string;
  /** Where it is stored; outermost first, crypt before what it lies in. */
  readonly base: string;
  readonly isDirectory: boolean;
  readonly remotes: readonly SheetRemote[];
  /** Where dated directories of old versions are; undefined where the store keeps them by itself. */
  readonly history: string | undefined;
  readonly config: string;
  readonly day: string;
}

/**
 * The recovery sheet, as text to be printed. What is indented by four spaces is typed into a shell, as
 * it stands; the rest is for people. Passwords reach rclone by a pipe from the shell itself, so no list
 * of processes shows them.
 */
export function recoverySheet(facts: SheetFacts): string {
  const { name, source, destination, base, day } = facts;
  const steps = stepsOf(facts).map(
    ({ text, commands }, at) =>
      `${at + 1}. ${text}\n${commands.length === 0 ? "" : `\n${indented(commands)}`}`,
  );
  return `RECOVERY SHEET OF THE BACKUP ${name}
made on ${day} by rclone-backups init

Print this sheet, keep it where a fire or a thief at the machine does not reach it, and delete the
file. Whoever has it can read the backup. Without the passwords below nobody can.

what       ${source}
where      ${destination}, stored in ${base}
${passwordLines(facts.remotes)}
TO GET EVERYTHING BACK, on any machine with a shell: type the lines that are indented by four spaces.

${steps.join("\n")}
OLD VERSIONS AND DELETED FILES ${oldVersions(facts)}

THE CONFIGURATION OF THE BACKUP, as it was on ${day}; in /etc/rclone-backups/${name}.conf, with the remotes
above in rclone's configuration, it goes on with the backup:

${facts.config
  .trimEnd()
  .split("\n")
  .map((line) => `  ${line}`.trimEnd())
  .join("\n")}
`;
}

interface Step {
  readonly text: string;
  readonly commands: readonly string[];
}

const conf = "rclone.conf";

function stepsOf({ name, destination, base, isDirectory, remotes }: SheetFacts): Step[] {
  const target = `restored/${name}`;
  const archive = `${target}/special-files.tar.gz`;
  const root = destination.slice(0, destination.indexOf(":") + 1);
  const parent = destination.slice(0, Math.max(destination.lastIndexOf("/"), root.length));
  const rclone = (...words: string[]): string => shellWords(["rclone", "--config", conf, ...words]);
  return [
    { text: "Install rclone, 1.60 or newer: https://rclone.org/install/", commands: [] },
    { text: haveAtHand(base, isDirectory, remotes), commands: [] },
    {
      text: "Make a configuration for rclone.",
      commands: [
        "umask 077",
        "mkdir -p ~/recovery",
        "cd ~/recovery",
        `: > ${conf}`,
        ...remotes.flatMap(remoteCommands),
      ],
    },
    {
      text: `See whether the passwords are right: this prints ${name} or its like. If it prints nothing, a
   character of a password is mistyped; go back to step 3.`,
      commands: [rclone("lsf", parent)],
    },
    {
      text: `Bring everything back, into ~/recovery/${target}. It may be stopped and called again.`,
      commands: [rclone("copy", destination, target)],
    },
    {
      text: "Links, devices and the like come from an archive, where there is one. (Devices need root.)",
      commands: [
        `if test -e ${shellWords([archive])}; then ${shellWords(["tar", "-C", target, "-xzpf", archive])}; fi`,
      ],
    },
    { text: "When all is back, remove the passwords.", commands: [`rm ${conf}`] },
  ];
}

function haveAtHand(base: string, isDirectory: boolean, remotes: readonly SheetRemote[]): string {
  if (isDirectory)
    return `Connect the disk, so that the stored files are in ${base}. If they are elsewhere on the new
   machine, write that place wherever this sheet says ${base}.`;
  const needs = remotes.flatMap(({ name, type, options, files }) => [
    ...options
      .filter(({ kind }) => kind === "credential")
      .map(({ key }) => `${key} of ${name} (${type}); step 3 asks for it`),
    ...files.map(({ key, path }) => `the file ${path} (${key} of ${name})`),
    ...options
      .filter((option) => option.kind === "plain" && option.key === "env_auth")
      .map(() => `the credentials of ${name} (${type}), which are in the environment`),
  ]);
  if (needs.length === 0) return "Connect the new machine to the network.";
  return `Have at hand what this sheet does not hold:\n${needs.map((need) => `   - ${need}`).join("\n")}`;
}

/** Commands that write a remote into rclone's configuration. */
function remoteCommands({ name, options }: SheetRemote): string[] {
  return [print(`[${name}]`), ...options.map(optionCommand)];
}

function optionCommand(option: SheetOption): string {
  const { key } = option;
  switch (option.kind) {
    case "plain":
      return print(`${key} = ${option.value}`);
    case "password":
      return `printf '${key} = %s\\n' "$(printf '%s\\n' ${quoted(option.value)} | rclone obscure -)" >> ${conf}`;
    case "credential": {
      const value = option.obscured ? `$(printf '%s\\n' "$value" | rclone obscure -)` : "$value";
      return `printf '${key}: '; IFS= read -r value; printf '${key} = %s\\n' "${value}" >> ${conf}`;
    }
  }
}

function print(line: string): string {
  return `printf '%s\\n' ${quoted(line)} >> ${conf}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

const labels: Readonly<Record<string, string>> = { password: "password", password2: "salt" };

function passwordLines(remotes: readonly SheetRemote[]): string {
  return remotes
    .flatMap(({ name, options }) =>
      options.flatMap((option) =>
        option.kind === "password"
          ? [
              `${(labels[option.key] ?? option.key).padEnd(10)} ${option.value}   (${option.key} of ${name})\n`,
            ]
          : [],
      ),
    )
    .join("");
}

function oldVersions({ history, name }: SheetFacts): string {
  return history === undefined
    ? `are kept by the store. rclone-restore ${name} brings them back, once the configuration
below is in its place.`
    : `are in ${history}, a directory a run. rclone-restore ${name} brings them
back as of any time, once the configuration below is in its place.`;
}

function indented(commands: readonly string[]): string {
  return commands.map((command) => `    ${command}\n`).join("");
}
