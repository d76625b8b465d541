#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import {
  exitCodesHelp,
  packageVersion,
  parseCommand,
  processWorld,
  runCommand,
  wholeNumber,
  withCommonOptions,
  type CommandContext,
} from "../lib/cli.ts";
import { interrupted, usage, type Outcome } from "../lib/errors.ts";
import type { UsageResult } from "../lib/jobs/usage.ts";
import type { Of } from "../lib/usage/choose.ts";

const command = withCommonOptions(
  new Command("rclone-du")
    .description("Tell where the space of a backup goes, current and deleted, largest last.")
    .argument(
      "[backup]",
      "a backup's name or configuration file, a location such as remote:path, or - for a listing on standard input",
    )
    .usage("[options] <backup|remote:path|->")
    .addOption(
      new Option(
        "--deleted",
        "add up superseded and deleted versions instead of the current files",
      ).conflicts("all"),
    )
    .option("--all", "add up every version")
    .option("-d, --max-depth <n>", "tell directories at most n levels deep", wholeNumber(0))
    .option("--files", "tell files too, old versions by the names that rclone gives them")
    .option("--min-size <size>", "leave out what is smaller, such as 10M")
    .addOption(new Option("-b, --bytes", "sizes in bytes (the default)").conflicts("human"))
    .option("-H, --human", "sizes such as 1.5G; K is 1024")
    .option("--format <format>", "what is on standard input: ls, tar, rclone-ls, lsjson or plain")
    .option("--audit", "add up the source under filters and test filters instead of the backup")
    .option("--max-age <age>", "with --audit, only files modified since then, such as 7d")
    .option("--html [file]", "write a page with a map to click through; without a file to stdout")
    .option("--ncdu", "print what ncdu -f reads, files included")
    .option("--cost", "tell money per month too, of stored bytes; needs --price-storage")
    .option("--price-storage <price>", "of a GB (10^9 bytes) in a month", parsePrice)
    .option("--price-files <price>", "of 1,000 files and versions in a month", parsePrice)
    .option("--billed-size <size>", "what the provider bills a smaller file as, such as 128K")
    .option("--copy-links", "with --audit, count what symbolic links point at"),
)
  .addHelpText(
    "after",
    `
The cost counts the bytes that are stored, encryption included, of the versions asked for. It leaves out
uploads that were never finished, transactions, downloads and minimum storage times.

Examples:
  rclone-du -d 1 --all home                what takes the space, history included
  rclone-du --html home.html home          a map of it for the browser
  ssh host ls -lR /srv | rclone-du -       any listing: ls -lR, tar tv, rclone ls, rclone lsjson
${exitCodesHelp}`,
  )
  .action((name, options) =>
    runCommand("rclone-du", options, async (context) => act(name, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(
  given: string | undefined,
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  // `--html NAME` takes the name for its file.
  const isName = given === undefined && typeof options.html === "string";
  const name = isName ? options.html : given;
  if (typeof name !== "string")
    throw usage("expected a backup, a location or -, found none", { hint: "rclone-du NAME" });
  const page = isName ? true : options.html;
  refuseWrongMix(name, { ...options, html: page });
  const result = await count(name, options, context);
  if (result.format !== undefined) context.terminal.detail(1, `listing: read as ${result.format}`);
  await print(result, name, page, options, context);
  if (result.problem === undefined) return "done";
  throw result.problem;
}

function refuseWrongMix(
  name: string,
  options: Omit<Options, "html"> & { html: string | true | undefined },
): void {
  const { html, ncdu, json, audit, deleted, all, maxAge, cost, format } = options;
  const forms = Object.entries({ html, ncdu, json }).filter(([, value]) => value !== undefined);
  const [first, second] = forms;
  if (first !== undefined && second !== undefined)
    throw usage(
      `expected one of --html, --ncdu and --json, found --${first[0]} and --${second[0]}`,
    );
  if (format !== undefined && name !== "-")
    throw usage("expected --format with - for standard input, found it with a backup");
  if (audit === true && name === "-")
    throw usage("expected --audit with a backup, found it with a listing");
  if ((deleted ?? all) !== undefined && (audit === true || name === "-"))
    throw usage(
      `expected --${deleted === true ? "deleted" : "all"} with a backup's versions, found it where there are none`,
    );
  if (maxAge !== undefined && audit !== true)
    throw usage("expected --max-age with --audit, found it without");
  const isPriced = (options.priceFiles ?? options.billedSize ?? options.priceStorage) !== undefined;
  if (isPriced && cost !== true) throw usage("expected prices with --cost, found them without");
  if (cost === true && options.priceStorage === undefined)
    throw usage("expected --price-storage with --cost, found no price", {
      hint: "such as --price-storage 0.006 for 6 dollars per TB and month",
    });
  if (cost === true && (html ?? ncdu) !== undefined)
    throw usage("expected --cost with lines or --json, found it with a picture");
}

async function count(
  name: string,
  options: Options,
  { terminal, signal }: CommandContext,
): Promise<UsageResult> {
  const [job, { formats }, { parseAge }, { parseBytes }] = await Promise.all([
    import("../lib/jobs/usage.ts"),
    import("../lib/usage/formats.ts"),
    import("../lib/units/age.ts"),
    import("../lib/units/bytes.ts"),
  ]);
  // ncdu shows files: without them there is little to walk through.
  const files = options.files === true || options.ncdu === true;
  if (name === "-") {
    const format = formats.find((known) => known === options.format);
    if (options.format !== undefined && format === undefined)
      throw usage(`--format: expected one of ${formats.join(", ")}, found ${options.format}`);
    const { stdin } = process;
    signal.addEventListener("abort", () => stdin.destroy(interrupted("stopped by a signal")), {
      once: true,
    });
    return job.usageOfListing(stdin, { files, format }, terminal);
  }
  const maxAge = options.maxAge === undefined ? undefined : parseAge(options.maxAge);
  const minimum = options.billedSize === undefined ? 0 : parseBytes(options.billedSize);
  const { openBackup, openBackupOrLocation } = await import("../lib/jobs/openbackup.ts");
  const open = options.audit === true ? openBackup : openBackupOrLocation;
  const { session } = await open(name, options, processWorld({ terminal, signal }));
  if (options.audit === true) return job.usageOfSource(session, { files, maxAge });
  return job.usageOfBackup(session, {
    of: versionsOf(options),
    files,
    sizes: options.cost === true ? "stored" : "plain",
    minimum,
  });
}

function versionsOf({ all, deleted }: Options): Of {
  return all === true ? "all" : deleted === true ? "deleted" : "current";
}

async function print(
  result: UsageResult,
  name: string,
  page: string | true | undefined,
  options: Options,
  { terminal, signal }: CommandContext,
): Promise<void> {
  const { parseBytes } = await import("../lib/units/bytes.ts");
  const of = versionsOf(options);
  const title = name === "-" ? "listing" : name;
  if (page !== undefined) {
    const [{ foldTree }, { usagePage }] = await Promise.all([
      import("../lib/usage/fold.ts"),
      import("../lib/output/usagehtml.ts"),
    ]);
    const text = usagePage(foldTree(result.tree), { title, at: new Date() });
    if (page === true || page === "-") return terminal.result(text);
    const { writeTarget } = await import("../lib/state/target.ts");
    return writeTarget(page, text, 0o600, signal);
  }
  if (options.ncdu === true) {
    const { usageNcdu } = await import("../lib/output/usagencdu.ts");
    const about = { of, title, version: packageVersion(), now: new Date() } as const;
    for (const piece of usageNcdu(result.tree, about)) await terminal.result(piece);
    return;
  }
  const { chooseNodes } = await import("../lib/usage/choose.ts");
  const nodes = chooseNodes(result.tree, {
    of,
    maxDepth: options.maxDepth,
    minSize: options.minSize === undefined ? 0 : parseBytes(options.minSize),
  });
  const prices =
    options.priceStorage === undefined
      ? undefined
      : { storage: options.priceStorage, files: options.priceFiles ?? 0 };
  if (options.json === true) {
    const { usageJson } = await import("../lib/output/usagejson.ts");
    for (const piece of usageJson(result, nodes, { of, prices })) await terminal.result(piece);
    return;
  }
  const { usageLines } = await import("../lib/output/usage.ts");
  const human = options.human === true;
  const look = { of, human, prices, toTerminal: terminal.resultsAreShown } as const;
  for (const piece of usageLines(result.tree, nodes, look)) await terminal.result(piece);
}

function parsePrice(value: string): number {
  if (!/^(?:\d+(?:\.\d*)?|\.\d+)$/.test(value))
    throw new InvalidArgumentError("Expected a number such as 0.006.");
  return Number(value);
}
